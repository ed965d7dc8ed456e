// Make films: node run.mjs, while worker.mjs runs.

import { film } from './tasks.mjs';

const runs = await film.run(Array.from({ length: 6 }, () => ({})));
const together = runs.filter((run) => run.fetch.worker === run.cut.worker).length;
console.log(`${together} of ${runs.length} films were cut where they were fetched`);
process.exit(0);
