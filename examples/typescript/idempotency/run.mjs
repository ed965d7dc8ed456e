// Ask for the same work again and again: node run.mjs, while worker.mjs runs.

import { randomUUID } from 'node:crypto';

import {
  BulkTriggerIdempotencyCollisionError,
  IdempotencyCollisionError,
} from '@hatchet-dev/typescript-sdk';

import { charge, hatchet, rebuildIndex } from './tasks.mjs';

async function textOf(runId, task) {
  return (await hatchet.runs.runRef(runId).output)[task].text;
}

/** What was charged, by this call or by an earlier one. */
async function chargeOnce(order) {
  try {
    return (await charge.run(order)).text;
  } catch (error) {
    if (!(error instanceof IdempotencyCollisionError)) throw error;
    return `${await textOf(error.existingRunExternalId, 'charge')} before`;
  }
}

const today = randomUUID();
const orders = [1, 2, 3, 4].map((number) => ({ id: `${today}-${number}`, total: number * 10 }));

console.log(await chargeOnce(orders[0]));
console.log(await chargeOnce(orders[0]));

// In a bulk those whose keys are free are run all the same.
try {
  await charge.runMany(orders.map((input) => ({ input })));
} catch (error) {
  if (!(error instanceof BulkTriggerIdempotencyCollisionError)) throw error;
  const created = error.successfulWorkflowRunExternalIds;
  console.log(`${created.length} of ${orders.length} were new`);
  console.log((await Promise.all(created.map((id) => textOf(id, 'charge')))).join(', '));
}

const shop = { name: today };
const first = await (await rebuildIndex.runNoWait(shop)).getWorkflowRunId();
try {
  await rebuildIndex.run(shop);
} catch (error) {
  if (!(error instanceof IdempotencyCollisionError)) throw error;
  console.log(`it is being rebuilt already: ${error.existingRunExternalId === first}`);
}
console.log(await textOf(first, 'rebuild-index'));
console.log(`${(await rebuildIndex.run(shop)).text} again`);
process.exit(0);
