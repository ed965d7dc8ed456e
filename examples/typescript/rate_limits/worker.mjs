// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { fax, hatchet, send } from './tasks.mjs';

const worker = await hatchet.worker('rate_limits-worker', { slots: 50, workflows: [send, fax] });
await worker.start();
