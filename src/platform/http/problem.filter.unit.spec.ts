import { type ArgumentsHost, Logger } from '@nestjs/common';
import { QueryFailedError } from 'typeorm';
import { afterEach, expect, it, vi } from 'vitest';
import { ProblemFilter } from './problem.filter.js';

afterEach(() => void vi.restoreAllMocks());

it('logs of a database error what failed, and nothing of what was to be written', () => {
  const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  const cause = Object.assign(new Error('invalid input syntax for type json'), {
    code: '22P02',
    detail: 'Token "whsec_secret" is invalid.',
    where: 'JSON data, line 1: ...whsec_secret...',
  });
  const reply = { status: () => reply, header: () => reply, send: () => reply };
  const request = { url: '/api/v1/channels', id: 'c' };
  const host = { switchToHttp: () => ({ getRequest: () => request, getResponse: () => reply }) };
  const thrown = new QueryFailedError('insert into alerts.channel …', ['whsec_secret'], cause);
  new ProblemFilter().catch(thrown, host as unknown as ArgumentsHost);
  const [{ err }] = logged.mock.calls[0] as unknown as [{ err: Record<string, unknown> }];
  expect(err).toMatchObject({ message: 'invalid input syntax for type json', code: '22P02' });
  expect(JSON.stringify({ ...err, stack: err.stack })).not.toContain('whsec_secret');
});
