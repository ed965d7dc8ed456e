// Print a story as it arises: node run.mjs, while worker.mjs runs.

import { hatchet, tellStory } from './tasks.mjs';

const ref = await tellStory.runNoWait({ name: 'queue' });
const runId = await ref.getWorkflowRunId();
for await (const chunk of hatchet.runs.subscribeToStream(runId)) {
  process.stdout.write(chunk);
}
const { characters } = await ref.output;
console.log(`\n(${characters} characters)`);
process.exit(0);
