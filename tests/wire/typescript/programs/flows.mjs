// Concurrency and rate limits, with the official SDK alone.

import { setTimeout as sleep } from 'node:timers/promises';

import { ConcurrencyLimitStrategy, RateLimitDuration } from '@hatchet-dev/typescript-sdk';

import { done, hatchet, tell, waitForGate } from './tasks.mjs';

function rule(expression, maxRuns, strategy) {
  return { expression, maxRuns, limitStrategy: ConcurrencyLimitStrategy[strategy] };
}

// A task that waits for its gate under these rules.
function holding(name, ...rules) {
  return hatchet.task({
    name,
    executionTimeout: '5m',
    concurrency: rules,
    fn: async (input, ctx) => {
      tell('start', input, ctx);
      await waitForGate(input, ctx);
      tell('end', input, ctx);
      return done(input, ctx);
    },
  });
}

const twoKeys = hatchet.task({
  name: 'two-keys',
  executionTimeout: '2m',
  scheduleTimeout: '2m',
  concurrency: [
    rule('input.digit', 8, 'GROUP_ROUND_ROBIN'),
    rule('input.group', 3, 'GROUP_ROUND_ROBIN'),
  ],
  fn: async (input, ctx) => {
    const { digit, group } = input;
    tell('start', input, ctx, { digit, group });
    await sleep(100);
    tell('end', input, ctx, { digit, group });
    return done(input, ctx);
  },
});

// --- whole runs ---

const newestRun = hatchet.workflow({
  name: 'newest-run',
  concurrency: rule('input.group', 1, 'CANCEL_IN_PROGRESS'),
});

const newestOne = newestRun.task({
  name: 'one',
  executionTimeout: '5m',
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    await waitForGate(input, ctx);
    return done(input, ctx);
  },
});

newestRun.task({
  name: 'two',
  parents: [newestOne],
  fn: async (input, ctx) => {
    tell('two', input, ctx);
    return done(input, ctx);
  },
});

// The same key with one place, for whole runs and for a task of them.
const locked = hatchet.workflow({
  name: 'locked-twice',
  concurrency: rule('input.group', 1, 'GROUP_ROUND_ROBIN'),
});

const lockedOne = locked.task({
  name: 'one',
  executionTimeout: '3s',
  concurrency: [rule('input.group', 1, 'GROUP_ROUND_ROBIN')],
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    await waitForGate(input, ctx);
    return done(input, ctx);
  },
});

locked.task({
  name: 'two',
  parents: [lockedOne],
  fn: async (input, ctx) => done(input, ctx),
});

// Four tasks, one after the other, under a rule for the run.
function hops(name, maxRuns, strategy) {
  const flow = hatchet.workflow({ name, concurrency: rule('input.group', maxRuns, strategy) });
  let parents = [];
  for (let number = 0; number < 4; number += 1) {
    const hop = flow.task({
      name: `hop-${number}`,
      parents,
      fn: async (input, ctx) => {
        tell('hop', input, ctx);
        return done(input, ctx);
      },
    });
    parents = [hop];
  }
  return flow;
}

// --- rate limits ---

const metered = hatchet.task({
  name: 'metered',
  rateLimits: [{ staticKey: 'wire-api-typescript', units: 1 }],
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    return done(input, ctx);
  },
});

const meteredByKey = hatchet.task({
  name: 'metered-by-key',
  rateLimits: [
    {
      dynamicKey: "'wire-' + input.group",
      units: 'input.number',
      limit: 4,
      duration: RateLimitDuration.SECOND,
    },
  ],
  fn: async (input, ctx) => {
    tell('start', input, ctx);
    return done(input, ctx);
  },
});

export const flows = {
  turns: holding('turns', rule('input.group', 2, 'GROUP_ROUND_ROBIN')),
  newest: holding('newest', rule('input.group', 1, 'CANCEL_IN_PROGRESS')),
  first: holding('first', rule('input.group', 1, 'CANCEL_NEWEST')),
  'bad-key': holding('bad-key', rule('input.nothing', 1, 'GROUP_ROUND_ROBIN')),
  'one-newest': holding('one-newest', rule('input.group', 1, 'CANCEL_QUEUED_EXCEPT_NEWEST')),
  'one-oldest': holding('one-oldest', rule('input.group', 1, 'CANCEL_QUEUED_EXCEPT_OLDEST')),
  'max-runs': holding('max-runs', rule('input.group', 'input.number', 'GROUP_ROUND_ROBIN')),
  'two-keys': twoKeys,
  'newest-run': newestRun,
  'locked-twice': locked,
  'hops-newest': hops('hops-newest', 1, 'CANCEL_IN_PROGRESS'),
  'hops-turns': hops('hops-turns', 5, 'GROUP_ROUND_ROBIN'),
  metered,
  'metered-by-key': meteredByKey,
};
