// The control API's part on the schedule and on readiness; schedule.ts says what it answers.

import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import { fail, readBody, send } from './answer.ts';
import { readinessSchema, runTaskSchema, type ScheduleSource } from './schedule.ts';

export const schedulePaths = ['/v1/schedule/run', '/v1/checks/peer', '/v1/readiness'];

export async function answerSchedule(
  route: string,
  request: IncomingMessage,
  response: ServerResponse,
  source: ScheduleSource,
): Promise<void> {
  switch (route) {
    case 'POST /v1/schedule/run': {
      const wish = await readBody(request, response, runTaskSchema);
      if (wish === null) return;
      const answer = source.run(wish.task);
      return send(response, answer.kind === 'refused' ? 409 : 200, answer);
    }
    case 'POST /v1/checks/peer': {
      const wish = await readBody(request, response, z.strictObject({}));
      if (wish === null) return;
      return send(response, 200, await source.checkPeer());
    }
    case 'POST /v1/readiness': {
      const readiness = await readBody(request, response, readinessSchema);
      if (readiness === null) return;
      source.keepReadiness(readiness);
      return send(response, 200, {});
    }
    default:
      return fail(response, 405, 'method-not-allowed', `no ${route} here`, null);
  }
}
