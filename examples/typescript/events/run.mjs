// Push events and look which runs they have started: node run.mjs, while worker.mjs runs.

import { hatchet } from './tasks.mjs';

const shops = [
  [{ id: 1, total: 120 }, 'shop-1'],
  [{ id: 2, total: 20 }, 'shop-1'],
  [{ id: 3, total: 500 }, 'shop-2'],
];
for (const [payload, scope] of shops) {
  const event = await hatchet.events.push('order:created', payload, { scope });
  const { rows } = await hatchet.runs.list({ triggeringEventExternalId: event.eventId });
  console.log(`order ${payload.id}: ${rows.length} runs`);
  for (const run of rows) {
    const output = await hatchet.runs.runRef(run.workflowRunExternalId).output;
    console.log(`  ${output.notify.text}`);
  }
}

// Many events in one request.
const numbers = Array.from({ length: 10 }, (_, n) => 95 + n);
const { events } = await hatchet.events.bulkPush(
  'order:changed',
  numbers.map((number) => ({ payload: { id: number, total: number }, scope: 'shop-1' }))
);
let started = 0;
for (const { eventId } of events) {
  const { rows } = await hatchet.runs.list({ triggeringEventExternalId: eventId });
  started += rows.length;
}
console.log(`${events.length} events of a bulk started ${started} runs`);
process.exit(0);
