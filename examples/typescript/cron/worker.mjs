// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { report, hatchet } from './tasks.mjs';

const worker = await hatchet.worker('cron-worker', { slots: 10, workflows: [report] });
await worker.start();
