import { describe, expect, it } from 'vitest';
import { apacheError, nginxError } from './error-log.js';
import type { LineFormat, LogLine, Reading, ReadOptions } from './format.js';

const options: ReadOptions = { receivedAtUs: 0, offsetMinutes: 60 };
const AT = Date.parse('2024-08-09T00:05:04Z') * 1000;

function readers<Memory>(format: LineFormat<Memory>) {
  const read = (text: string): Reading => format.read(text, format.begin(options), options, 1);
  const event = (text: string): LogLine => {
    const reading = read(text);
    if (reading.kind !== 'event') throw new Error(JSON.stringify(reading));
    return reading.event;
  };
  const kinds = (lines: readonly string[]): string[] => {
    const memory = format.begin(options);
    return lines.map((line, index) => format.read(line, memory, options, index + 1).kind);
  };
  return { read, event, kinds };
}

const ACCESS = '192.0.2.1 - - [09/Aug/2024:00:05:04 +0000] "GET / HTTP/1.1" 200 5';

describe('error log of nginx', () => {
  const { read, event, kinds } = readers(nginxError);
  const head = '2024/08/09 01:05:04 [error] 31#32: *90 ';

  it('reads message, process and request', () => {
    const line =
      '2024/08/09 01:05:04 [error] 31#32: *90 open() "/srv/a, host: b" failed (2: No such file or directory), ' +
      'client: 192.0.2.1, server: a.example, request: "GET /a,%20host:%20b HTTP/1.1", ' +
      'upstream: "http://127.0.0.1:80/a", host: "a.example", referrer: "https://a.example/, client: x"';
    expect(event(line)).toEqual({
      atUs: AT,
      level: 'error',
      message: 'open() "/srv/a, host: b" failed (2: No such file or directory)',
      fields: {
        pid: '31',
        tid: '32',
        connection: '90',
        client: '192.0.2.1',
        server: 'a.example',
        request: 'GET /a,%20host:%20b HTTP/1.1',
        upstream: 'http://127.0.0.1:80/a',
        host: 'a.example',
        referer: 'https://a.example/, client: x',
      },
    });
  });

  it('reads a message of no request, and of a stream', () => {
    expect(event('2024/08/09 01:05:04 [notice] 1#1: signal 3 (SIGQUIT), shutting down')).toEqual({
      atUs: AT,
      level: 'info',
      message: 'signal 3 (SIGQUIT), shutting down',
      fields: { pid: '1', tid: '1' },
    });
    const stream = `${head}recv() failed, client: 192.0.2.1, server: 0.0.0.0:80, bytes from/to client:1/2, bytes from/to upstream:3/4`;
    expect(event(stream).fields).toMatchObject({ server: '0.0.0.0:80', clientBytes: '1/2', upstreamBytes: '3/4' });
  });

  it('keeps quotes within what a client sent, and names that come twice where they stand', () => {
    const line = `${head}x, client: a, client: b, request: "GET /"a HTTP/1.1", host: "h", client: c`;
    expect(event(line)).toMatchObject({
      message: 'x',
      fields: { client: 'a, client: b', request: 'GET /"a HTTP/1.1', host: '"h", client: c' },
    });
  });

  it.each([
    ['debug', 'debug'],
    ['info', 'info'],
    ['warn', 'warn'],
    ['crit', 'fatal'],
    ['alert', 'fatal'],
    ['emerg', 'fatal'],
  ])('knows level %s', (word, level) => expect(event(`2024/08/09 01:05:04 [${word}] 1#1: x`).level).toBe(level));

  it('refuses lines that begin with a time and go wrong', () => {
    expect(read('2024/08/09 01:05:04 error 1#1: x')).toMatchObject({ kind: 'bad', column: 20 });
    expect(read('2024/08/09 01:05:04 [oops] 1#1: x')).toMatchObject({ kind: 'bad', column: 20 });
    expect(read('2024/08/09 01:05:04 [error] x')).toMatchObject({ kind: 'bad', column: 28 });
    expect(read('2024/02/30 01:05:04 [error] 1#1: x')).toMatchObject({ kind: 'bad', column: 1 });
  });

  it('folds lines without a time, but not those of an access log', () => {
    expect(
      kinds(['PHP', `${head}FastCGI sent`, 'PHP message: x', '  thrown in', '', ACCESS, '2024/08/09 nope']),
    ).toEqual(['bad', 'event', 'continuation', 'continuation', 'nothing', 'bad', 'bad']);
  });

  it('likes its own lines only', () => {
    expect(nginxError.likeness(`${head}x`)).toBe(0.95);
    expect(nginxError.likeness('2009/01/23 01:23:23 main.go:7: x')).toBe(0);
    expect(nginxError.likeness('2009/01/23 01:23:23 [error] x')).toBe(0);
    expect(nginxError.likeness(ACCESS)).toBe(0);
  });
});

describe('error log of Apache', () => {
  const { read, event, kinds } = readers(apacheError);
  const head = '[Fri Aug 09 01:05:04.123456 2024] [core:error] [pid 31:tid 140001]';

  it('reads a line of 2.4', () => {
    expect(event(`${head} [client 192.0.2.1:58910] AH00124: a [b], referer: https://a.example/`)).toEqual({
      atUs: AT + 123_456,
      level: 'error',
      message: 'AH00124: a [b]',
      fields: {
        module: 'core',
        pid: '31',
        tid: '140001',
        client: '192.0.2.1',
        port: '58910',
        code: 'AH00124',
        referer: 'https://a.example/',
      },
    });
  });

  it('reads a line of 2.2', () => {
    expect(event('[Fri Aug 09 01:05:04 2024] [error] [client 2001:db8::1] File does not exist: /srv/x')).toEqual({
      atUs: AT,
      level: 'error',
      message: 'File does not exist: /srv/x',
      fields: { client: '2001:db8::1' },
    });
    expect(event('[Fri Aug 09 01:05:04 2024] [error] [client 192.0.2.1:80] x').fields).toEqual({
      client: '192.0.2.1',
      port: '80',
    });
    expect(event('[Fri Aug  9 01:05:04 2024] [notice] caught SIGTERM, referer: x')).toEqual({
      atUs: AT,
      level: 'info',
      message: 'caught SIGTERM, referer: x',
      fields: {},
    });
  });

  it.each<readonly [rest: string, message: string, fields: object]>([
    [' [client 2001:db8::1:4000] x', 'x', { client: '2001:db8::1', port: '4000' }],
    [' [remote 192.0.2.1:80] x', 'x', { remote: '192.0.2.1', remotePort: '80' }],
    [' [other x] y', '[other x] y', {}],
    [
      ' [client 192.0.2.1:4] x, referer: y, referer: z',
      'x, referer: y',
      { client: '192.0.2.1', port: '4', referer: 'z' },
    ],
    [' [client unix:/run/x] y', 'y', { client: 'unix:/run/x' }],
    [
      ' (13)Permission denied: [client 192.0.2.1:4] AH00035: x',
      '(13)Permission denied: AH00035: x',
      { client: '192.0.2.1', port: '4', code: 'AH00035' },
    ],
    [' core.c(45): [client 192.0.2.1:4] x', 'core.c(45): x', { client: '192.0.2.1', port: '4' }],
    [
      ' (98)Address already in use: AH00072: make_sock',
      '(98)Address already in use: AH00072: make_sock',
      { code: 'AH00072' },
    ],
    [' AH00489: Apache/2.4 configured', 'AH00489: Apache/2.4 configured', { code: 'AH00489' }],
    ['', '', {}],
  ])('reads what follows the process:%s', (rest, message, fields) => {
    const { fields: told, message: text } = event(head + rest);
    expect([text, told]).toEqual([message, { module: 'core', pid: '31', tid: '140001', ...fields }]);
  });

  it.each([
    ['[ssl:trace3]', 'trace', { module: 'ssl' }],
    ['[:error]', 'error', {}],
    ['[mpm_event:notice]', 'info', { module: 'mpm_event' }],
    ['[emerg]', 'fatal', {}],
  ])('knows level %s', (group, level, fields) =>
    expect(event(`[Fri Aug 09 01:05:04 2024] ${group} [pid 7] x`)).toEqual({
      atUs: AT,
      level,
      message: 'x',
      fields: { pid: '7', ...fields },
    }),
  );

  it('refuses lines that begin with a time and go wrong', () => {
    expect(read('[Fri Aug 09 01:05:04 2024] x')).toMatchObject({ kind: 'bad', column: 27 });
    expect(read('[Fri Aug 09 01:05:04 2024] [core:oops] x')).toMatchObject({ kind: 'bad', column: 27 });
    expect(read('[Fri Aug 09 01:05:04 2024 [core:error] x')).toMatchObject({ kind: 'bad', column: 1 });
    expect(read('[Fri Feb 30 01:05:04 2024] [core:error] x')).toMatchObject({ kind: 'bad', column: 1 });
  });

  it('folds lines without a time, but not those of an access log', () => {
    expect(kinds(['sh: x', `${head} x`, 'sh: foo: not found', '[oops] y', ACCESS])).toEqual([
      'bad',
      'event',
      'continuation',
      'continuation',
      'bad',
    ]);
  });

  it('likes its own lines only', () => {
    expect(apacheError.likeness(`${head} x`)).toBe(0.95);
    expect(apacheError.likeness('[09-Aug-2024 00:05:04 UTC] PHP Warning:  x')).toBe(0);
    expect(apacheError.likeness('[2024-08-09 00:05:04] local.ERROR: x')).toBe(0);
    expect(apacheError.likeness(ACCESS)).toBe(0);
  });
});
