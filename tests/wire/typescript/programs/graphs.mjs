// Workflows of several tasks, children, events and streams, with the official SDK alone.

import { setTimeout as sleep } from 'node:timers/promises';

import { Or } from '@hatchet-dev/typescript-sdk';

import { all, done, gateIsOpen, hatchet, tell } from './tasks.mjs';

// --- a diamond, that can fail on one side ---

const diamond = hatchet.workflow({ name: 'diamond' });

const top = diamond.task({
  name: 'top',
  fn: async (input, ctx) => {
    tell('top', input, ctx);
    return done(input, ctx);
  },
});

const left = diamond.task({
  name: 'left',
  parents: [top],
  fn: async (input, ctx) => {
    tell('left', input, ctx);
    if (input.fails) {
      throw new Error('the left side broke');
    }
    return { number: (await ctx.parentOutput(top)).number + 1 };
  },
});

const right = diamond.task({
  name: 'right',
  parents: [top],
  fn: async (input, ctx) => {
    tell('right', input, ctx);
    return { number: (await ctx.parentOutput(top)).number * 10 };
  },
});

diamond.task({
  name: 'bottom',
  parents: [left, right],
  fn: async (input, ctx) => {
    tell('bottom', input, ctx);
    const parents = [await ctx.parentOutput(left), await ctx.parentOutput(right)];
    return { left: parents[0].number, right: parents[1].number };
  },
});

diamond.onFailure({
  name: 'rescue',
  fn: async (input, ctx) => {
    tell('rescue', input, ctx, { errors: ctx.errors() });
    return { rescued: input.key };
  },
});

// --- two branches, of which one is skipped, and a join ---

const branches = hatchet.workflow({ name: 'branches' });

const choose = branches.task({ name: 'choose', fn: async (input, ctx) => done(input, ctx) });

function branch(name, skipExpression) {
  return branches.task({
    name,
    parents: [choose],
    skipIf: [{ parent: choose, expression: skipExpression }],
    fn: async (input, ctx) => {
      tell(name, input, ctx);
      return { size: name };
    },
  });
}

const small = branch('small', 'output.number >= 10');
const large = branch('large', 'output.number < 10');

branches.task({
  name: 'join',
  parents: [small, large],
  fn: async (input, ctx) => {
    const outputs = [await ctx.parentOutput(small), await ctx.parentOutput(large)];
    const skipped = ['small', 'large'].filter((_, n) => outputs[n].skipped);
    return { skipped, size: outputs.find((output) => output.size).size };
  },
});

// --- waiting ---

const waiting = hatchet.workflow({ name: 'waiting' });

const told = waiting.task({
  name: 'told',
  waitFor: [Or({ sleepFor: '50s' }, { eventKey: 'wire:go', expression: 'input.number == 7' })],
  fn: async (input, ctx) => {
    tell('told', input, ctx);
    return { key: input.key };
  },
});

waiting.task({
  name: 'timed',
  parents: [told],
  waitFor: [Or({ sleepFor: '1s' }, { eventKey: 'wire:never' })],
  fn: async (input, ctx) => {
    tell('timed', input, ctx);
    return { key: input.key };
  },
});

// --- children ---

const CHILDREN = 50;

const family = hatchet.task({
  name: 'family',
  retries: 1,
  fn: async (input, ctx) => {
    tell('parent', input, ctx);
    const numbers = Array.from({ length: CHILDREN }, (_, number) => number);
    const outputs = await ctx.bulkRunChildren(
      numbers.map((number) => ({ workflow: all.echo, input: { key: input.key, number } }))
    );
    if (ctx.retryCount() < input.fails) {
      throw new Error('the children are there, the parent is not');
    }
    return { children: outputs.length, sum: outputs.reduce((sum, one) => sum + one.number, 0) };
  },
});

// --- events ---

const onEvent = hatchet.task({
  name: 'on-event',
  onEvents: ['wire:plain'],
  fn: async (input, ctx) => {
    tell('start', input, ctx, { metadata: ctx.additionalMetadata() });
    return done(input, ctx);
  },
});

const onFilteredEvent = hatchet.task({
  name: 'on-filtered-event',
  onEvents: ['wire:filtered'],
  defaultFilters: [
    {
      expression: 'input.number >= payload.at_least',
      scope: 'shop-1',
      payload: { at_least: 100 },
    },
  ],
  fn: async (input, ctx) => {
    const { at_least: atLeast } = ctx.filterPayload();
    tell('start', input, ctx, { number: input.number, at_least: atLeast });
    return done(input, ctx);
  },
});

// --- streams ---

const streaming = hatchet.task({
  name: 'streaming',
  executionTimeout: '5m',
  // Sends pieces until the test has seen one, then ten that are numbered.
  fn: async (input, ctx) => {
    while (!gateIsOpen(input, ctx)) {
      await ctx.putStream('early ');
      await sleep(50);
    }
    for (let number = 0; number < 10; number += 1) {
      await ctx.putStream(`${number} `);
    }
    return done(input, ctx);
  },
});

export const graphs = {
  diamond,
  branches,
  waiting,
  family,
  'on-event': onEvent,
  'on-filtered-event': onFilteredEvent,
  streaming,
};
