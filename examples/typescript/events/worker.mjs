// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { notify, hatchet } from './tasks.mjs';

const worker = await hatchet.worker('events-worker', { slots: 10, workflows: [notify] });
await worker.start();
