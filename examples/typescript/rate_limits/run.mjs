// Send more than is allowed at once: node run.mjs, while worker.mjs runs.

import { RateLimitDuration } from '@hatchet-dev/typescript-sdk';

import { MAIL_API, fax, hatchet, send } from './tasks.mjs';

const secondsSince = (start) => ((performance.now() - start) / 1000).toFixed(1);

await hatchet.ratelimits.upsert({ key: MAIL_API, limit: 2, duration: RateLimitDuration.SECOND });

let start = performance.now();
const sent = await send.run([0, 1, 2, 3, 4].map((number) => ({ to: `user-${number}` })));
console.log(`${sent.length} mails, 2 per second: ${secondsSince(start)} s`);

// Ann's twelve pages need three windows; Bob's page does not wait for them.
start = performance.now();
const runs = [];
for (let number = 0; number < 3; number += 1) {
  runs.push(await fax.runNoWait({ to: 'ann', pages: 4 }));
}
await fax.run({ to: 'bob', pages: 1 });
const bob = secondsSince(start);
for (const run of runs) {
  await run.output;
}
console.log(`bob waited ${bob} s, ann ${secondsSince(start)} s`);

const { rows } = await hatchet.ratelimits.list({ search: 'fax-' });
for (const { key, limitValue, window } of rows) {
  console.log(`${key}: ${limitValue} per ${window}`);
}
process.exit(0);
