// The tasks of the tests, written with the official SDK alone.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { HatchetClient, NonRetryableError } from '@hatchet-dev/typescript-sdk';

export const hatchet = HatchetClient.init();

const GATES = process.env.WIRE_GATES ?? '.';

/** Print a line that the tests read. */
export function tell(kind, input, ctx, fields = {}) {
  const event = { kind, key: input.key, retry_count: ctx.retryCount(), at: Date.now() / 1000 };
  console.log(`event ${JSON.stringify({ ...event, ...fields })}`);
}

/** Whether the test has said go on, to all attempts or to this one. */
export function gateIsOpen(input, ctx) {
  const gates = [input.key, `${input.key}.${ctx.retryCount()}`];
  return gates.some((name) => existsSync(join(GATES, name)));
}

export async function waitForGate(input, ctx) {
  while (!gateIsOpen(input, ctx)) {
    if (ctx.cancelled) {
      tell('cancelled', input, ctx);
      throw new Error('cancelled');
    }
    await sleep(20);
  }
}

export function done(input, ctx) {
  return { key: input.key, number: input.number ?? 0, retry_count: ctx.retryCount() };
}

const echo = hatchet.task({
  name: 'echo',
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    return done(input, ctx);
  },
});

const flaky = hatchet.task({
  name: 'flaky',
  retries: 3,
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    if (ctx.retryCount() < input.fails) {
      throw new Error(`failure number ${ctx.retryCount()}`);
    }
    return done(input, ctx);
  },
});

const hopeless = hatchet.task({
  name: 'hopeless',
  retries: 3,
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    throw new NonRetryableError('there is no hope');
  },
});

const backingOff = hatchet.task({
  name: 'backing-off',
  retries: 2,
  backoff: { factor: 1.2, maxSeconds: 10 },
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    if (ctx.retryCount() < input.fails) {
      throw new Error('not yet');
    }
    return done(input, ctx);
  },
});

const slow = hatchet.task({
  name: 'slow',
  retries: 1,
  executionTimeout: '1s',
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    if (ctx.retryCount() < input.fails) {
      await waitForGate(input, ctx);
    }
    return done(input, ctx);
  },
});

const extended = hatchet.task({
  name: 'extended',
  executionTimeout: '2s',
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    await ctx.refreshTimeout('30s');
    await sleep(2500);
    return done(input, ctx);
  },
});

const hold = hatchet.task({
  name: 'hold',
  executionTimeout: '5m',
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    await waitForGate(input, ctx);
    tell('end', input, ctx);
    return done(input, ctx);
  },
});

const talkative = hatchet.task({
  name: 'talkative',
  retries: 1,
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    await ctx.logger.info(`first line of attempt ${ctx.retryCount() + 1}`);
    await ctx.logger.info(`second line of attempt ${ctx.retryCount() + 1}`);
    if (ctx.retryCount() < input.fails) {
      throw new Error('once more');
    }
    return done(input, ctx);
  },
});

const telling = hatchet.task({
  name: 'telling',
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    return {
      key: input.key,
      metadata: ctx.additionalMetadata(),
      priority: ctx.priority(),
      workflow_run_id: ctx.workflowRunId(),
    };
  },
});

// These two belong to a worker with a single slot.

const narrowHold = hatchet.task({
  name: 'narrow-hold',
  executionTimeout: '5m',
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    if (input.release_slot) {
      await ctx.releaseSlot();
      tell('released', input, ctx);
    }
    await waitForGate(input, ctx);
    return done(input, ctx);
  },
});

const narrowTask = hatchet.task({
  name: 'narrow',
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    return done(input, ctx);
  },
});

export const all = {
  echo,
  flaky,
  hopeless,
  'backing-off': backingOff,
  slow,
  extended,
  hold,
  talkative,
  telling,
};
export const narrow = { 'narrow-hold': narrowHold, narrow: narrowTask };
