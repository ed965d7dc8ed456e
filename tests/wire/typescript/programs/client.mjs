// A client that stays: it makes the calls it is given on standard input, many at a time.

import { createInterface } from 'node:readline';

import { RateLimitDuration } from '@hatchet-dev/typescript-sdk';

import { tasks } from './sets.mjs';
import { hatchet } from './tasks.mjs';

function options({ metadata, priority, labels }) {
  return {
    additionalMetadata: metadata ?? undefined,
    priority: priority ?? undefined,
    desiredWorkerLabels: labels ?? undefined,
  };
}

const calls = {
  // --- triggering ---

  run: ({ task, input, ...rest }) => tasks[task].run(input, options(rest)),

  start: async ({ task, input, ...rest }) => {
    const ref = await tasks[task].runNoWait(input, options(rest));
    return ref.getWorkflowRunId();
  },

  run_many: ({ task, inputs, metadata }) =>
    tasks[task].runMany(inputs.map((input) => ({ input, opts: options({ metadata }) }))),

  result: ({ run_id }) => hatchet.runs.runRef(run_id).output,

  // --- events and streams ---

  push: async ({ event, payload, scope, metadata }) => {
    const options = { scope: scope ?? undefined, additionalMetadata: metadata };
    return (await hatchet.events.push(event, payload, options)).eventId;
  },

  // All pieces of a run's stream, each of which is also printed when it comes.
  subscribe: async ({ run_id }) => {
    const pieces = [];
    for await (const piece of hatchet.runs.subscribeToStream(run_id)) {
      console.log(`piece ${JSON.stringify({ run_id, piece })}`);
      pieces.push(piece);
    }
    return pieces;
  },

  // --- runs ---

  get: async ({ run_id }) => {
    const { run, tasks: found } = await hatchet.runs.get(run_id);
    return {
      status: run.status,
      output: run.output,
      error: run.errorMessage,
      input: run.input,
      metadata: run.additionalMetadata,
      name: run.displayName,
      started: Boolean(run.startedAt),
      tasks: found.map((task) => ({
        id: task.taskExternalId,
        status: task.status,
        retry_count: task.retryCount,
        error: task.errorMessage,
        output: task.output,
      })),
    };
  },

  get_status: ({ run_id }) => hatchet.runs.get_status(run_id),

  get_details: async ({ run_id }) => {
    const details = await hatchet.runs.getDetails(run_id);
    return {
      status: details.status,
      done: details.done,
      input: details.input,
      metadata: details.additionalMetadata,
      tasks: Object.fromEntries(
        Object.entries(details.taskRuns).map(([name, task]) => [
          name,
          { output: task.output, error: task.error },
        ])
      ),
    };
  },

  list_runs: async ({ metadata, statuses, limit, offset, only_tasks: onlyTasks }) => {
    const found = await hatchet.runs.list({
      additionalMetadata: metadata,
      statuses,
      limit,
      offset,
      onlyTasks: onlyTasks ?? false,
    });
    return found.rows.map((row) => ({
      id: row.workflowRunExternalId,
      status: row.status,
      output: row.output,
    }));
  },

  cancel: async ({ run_id }) => {
    await hatchet.runs.cancel({ ids: [run_id] });
  },

  replay: async ({ run_id }) => {
    await hatchet.runs.replay({ ids: [run_id] });
  },

  logs: async ({ run_id }) => {
    const found = await hatchet.logs.list(run_id);
    return (found.rows ?? []).map((line) => ({ message: line.message, attempt: line.attempt }));
  },

  // --- rate limits ---

  put_rate_limit: async ({ limit_key: key, limit }) => {
    await hatchet.ratelimits.upsert({ key, limit, duration: RateLimitDuration.SECOND });
  },

  rate_limits: async ({ search }) => {
    const { rows } = await hatchet.ratelimits.list({ search });
    return rows.map(({ key, limitValue: limit, value, window }) => ({ key, limit, value, window }));
  },

  // --- workers and workflows ---

  workers: async () => {
    const found = await hatchet.workers.list();
    return (found.rows ?? []).map((worker) => ({
      id: worker.metadata.id,
      name: worker.name,
      status: worker.status,
    }));
  },

  workflows: async ({ name }) => {
    const found = await hatchet.workflows.list({ name });
    return (found.rows ?? []).map((one) => ({ id: one.metadata.id, name: one.name }));
  },
};

async function answer(request) {
  let reply;
  try {
    reply = { result: (await calls[request.call](request.arguments)) ?? null };
  } catch (error) {
    // A failed run is thrown as the list of its tasks' error texts.
    const text = Array.isArray(error) ? error.join('\n') : String(error?.message ?? error);
    reply = { error: { kind: error?.constructor?.name ?? typeof error, text } };
  }
  process.stdout.write(`reply ${JSON.stringify({ id: request.id, ...reply })}\n`);
}

for await (const line of createInterface({ input: process.stdin })) {
  void answer(JSON.parse(line));
}
process.exit(0);
