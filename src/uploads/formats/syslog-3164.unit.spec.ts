import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LogLine, Reading, ReadOptions } from './format.js';
import { syslog3164 } from './syslog-3164.js';

const us = (iso: string): number => Date.parse(iso) * 1000;
const options: ReadOptions = { receivedAtUs: us('2024-08-10T00:00:00Z'), offsetMinutes: 0 };
const read = (text: string, given = options): Reading => syslog3164.read(text, syslog3164.begin(given), given, 1);
const event = (text: string, given = options): LogLine => {
  const reading = read(text, given);
  if (reading.kind !== 'event') throw new Error(JSON.stringify(reading));
  return reading.event;
};
/** Times of lines of one file, to the second. */
function times(lines: readonly string[], given = options): (string | undefined)[] {
  let memory = syslog3164.begin(given);
  return lines.map((line, index) => {
    // as a checkpoint keeps it
    memory = JSON.parse(JSON.stringify(memory)) as typeof memory;
    const reading = syslog3164.read(`${line} h a: m`, memory, given, index + 1);
    if (reading.kind !== 'event') return reading.kind;
    const { atUs } = reading.event;
    return atUs === undefined ? undefined : new Date(atUs / 1000).toISOString().slice(0, 19);
  });
}

describe('syslog of RFC 3164', () => {
  it('reads priority, time, host, tag and pid', () => {
    expect(event("<34>Oct 11 22:14:15 mymachine su[77]: 'su root' failed for lonvick on /dev/pts/8")).toEqual({
      atUs: us('2023-10-11T22:14:15Z'),
      level: 'fatal',
      message: "'su root' failed for lonvick on /dev/pts/8",
      fields: { facility: 'auth', severity: 'crit', host: 'mymachine', app: 'su', pid: '77' },
    });
  });

  const AT = us('2024-08-09T00:05:04Z');
  it.each<readonly [line: string, fields: object, message: string, atUs: number]>([
    ['Aug  9 00:05:04 web1 sshd[12]: Accepted', { host: 'web1', app: 'sshd', pid: '12' }, 'Accepted', AT],
    ['Aug 9 00:05:04 web1 kernel: [ 1.5] x', { host: 'web1', app: 'kernel' }, '[ 1.5] x', AT],
    // haproxy and others leave the host out
    ['Aug  9 00:05:04 haproxy[7]: up', { app: 'haproxy', pid: '7' }, 'up', AT],
    ['Aug  9 00:05:04 haproxy: up', { app: 'haproxy' }, 'up', AT],
    ['Aug  9 00:05:04 web1 postfix/smtpd[8]:x: y', { host: 'web1', app: 'postfix/smtpd', pid: '8' }, 'x: y', AT],
    ['Aug  9 00:05:04 web1 su(pam_unix)[8]: x', { host: 'web1', app: 'su(pam_unix)', pid: '8' }, 'x', AT],
    [
      'Aug  9 00:05:04 mac com.apple.xpc.launchd[1] (com.x): y',
      { host: 'mac', app: 'com.apple.xpc.launchd', pid: '1' },
      '(com.x): y',
      AT,
    ],
    ['Aug  9 00:05:04 web1 last message repeated 2 times', { host: 'web1' }, 'last message repeated 2 times', AT],
    ['Aug  9 00:05:04 web1 a[b c]: x', { host: 'web1' }, 'a[b c]: x', AT],
    ['Aug  9 00:05:04 web1 list[x] y', { host: 'web1' }, 'list[x] y', AT],
    ['Aug  9 00:05:04 web1 -- MARK --', { host: 'web1' }, '-- MARK --', AT],
    ['Aug  9 00:05:04 fe80::1 http://x: no tag', { host: 'fe80::1', app: 'http://x' }, 'no tag', AT],
    ['Aug  9 00:05:04 web1 http://x is down', { host: 'web1' }, 'http://x is down', AT],
    ['Aug  9 00:05:04 web1 app: \uFEFFñ', { host: 'web1', app: 'app' }, 'ñ', AT],
    ['Aug  9 00:05:04 restarted', {}, 'restarted', AT],
    ['Aug  9 00:05:04', {}, '', AT],
    // ISO stamps, of rsyslog and Debian 12
    ['2024-08-09T02:05:04.5+02:00 web1 cron[3]: x', { host: 'web1', app: 'cron', pid: '3' }, 'x', AT + 500_000],
    // Cisco
    ['Aug 09 2024 00:05:04 fw1 : %ASA-6-302013: Built', { host: 'fw1', app: '%ASA-6-302013' }, 'Built', AT],
    ['Aug 09 2024 00:05:04: %ASA-6-302013: Built', { app: '%ASA-6-302013' }, 'Built', AT],
    ['45: *Aug  9 00:05:04.250: %SYS-5-CONFIG_I: x', { sequence: '45', app: '%SYS-5-CONFIG_I' }, 'x', AT + 250_000],
    ['Aug  9 02:05:04 CEST web1 a: x', { host: 'web1', app: 'a' }, 'x', AT],
    // a host's name that begins like a zone
    ['Aug  9 00:05:04 EST-db1 a: x', { host: 'EST-db1', app: 'a' }, 'x', AT],
  ])('reads %s', (line, fields, message, atUs) => {
    expect(event(line)).toEqual({ atUs, message, fields });
    const { fields: withPriority, ...rest } = event(`<13>${line}`);
    expect({ ...rest, fields: withPriority }).toEqual({
      atUs,
      level: 'info',
      message,
      fields: { facility: 'user', severity: 'notice', ...fields },
    });
  });

  it('takes a line with a priority and no time, and refuses one with neither', () => {
    expect(event('<11>sshd[12]: no time')).toEqual({
      level: 'error',
      message: 'no time',
      fields: { facility: 'user', severity: 'err', app: 'sshd', pid: '12' },
    });
    expect(read('no time, no priority')).toEqual({
      kind: 'bad',
      message: 'it begins neither with a time nor with a priority, <0> to <191>',
      column: 1,
    });
    expect(read('<192>Aug  9 00:05:04 h a: x').kind).toBe('bad');
    expect(read('Aug 32 00:05:04 h a: x').kind).toBe('bad');
    expect(read('Feb 30 00:05:04 h a: x').kind).toBe('bad');
  });

  it('takes the level of a line without a priority from the head of its message', () => {
    expect(event('Aug  9 00:05:04 h app[1]: ERROR it broke').level).toBe('error');
    expect(event('Aug  9 00:05:04 h app[1]: [warn] it bends').level).toBe('warn');
    expect(event('Aug  9 00:05:04 h app[1]: information desk').level).toBeUndefined();
    expect(event('<14>Aug  9 00:05:04 h app[1]: ERROR it broke').level).toBe('info');
  });

  it('reckons the year back from when the file came', () => {
    expect(times(['Aug  9 00:00:00'])).toEqual(['2024-08-09T00:00:00']);
    expect(times(['Dec 31 00:00:00'])).toEqual(['2023-12-31T00:00:00']);
    expect(times(['Feb 29 00:00:00'])).toEqual(['2024-02-29T00:00:00']);
    expect(times(['Feb 29 00:00:00'], { ...options, receivedAtUs: us('2023-08-10T00:00:00Z') })).toEqual([
      '2020-02-29T00:00:00',
    ]);
  });

  it('begins with the year that the upload tells, and steps it when the months run backwards', () => {
    const lines = [
      'Nov 30 23:00:00',
      'Dec 31 23:59:59',
      'Jan  1 00:00:00',
      'Dec 31 23:59:58',
      'Jun  1 00:00:00',
      'Feb  1 00:00:00',
    ];
    expect(times(lines, { ...options, year: 2019 })).toEqual([
      '2019-11-30T23:00:00',
      '2019-12-31T23:59:59',
      '2020-01-01T00:00:00',
      // late, not a year ahead
      '2019-12-31T23:59:58',
      '2020-06-01T00:00:00',
      '2021-02-01T00:00:00',
    ]);
  });

  it('has no time for 29 February of a year without one, but keeps what the line says', () => {
    const given = { ...options, year: 2023 };
    expect(event('<134> Feb 29 00:00:00 h a: x', given)).toEqual({
      level: 'info',
      message: 'x',
      fields: { facility: 'local0', severity: 'info', time: 'Feb 29 00:00:00', host: 'h', app: 'a' },
    });
    expect(event('<134> Feb 29 00:00:00 h a: x', { ...options, year: 2024 }).atUs).toBe(us('2024-02-29T00:00:00Z'));
    expect(times(['Feb 28 00:00:00', 'Feb 29 00:00:00', 'Mar  1 00:00:00'], given)).toEqual([
      '2023-02-28T00:00:00',
      undefined,
      '2023-03-01T00:00:00',
    ]);
  });

  it('has local times at the offset that the upload tells', () => {
    expect(times(['Aug  9 00:05:04'], { ...options, offsetMinutes: 330 })).toEqual(['2024-08-08T18:35:04']);
  });

  it('folds indented lines into the event before them', () => {
    const memory = syslog3164.begin(options);
    const kinds = ['\tat x', 'Aug  9 00:05:04 h a: m', '\tat y', '', 'other'].map(
      (line) => syslog3164.read(line, memory, options, 1).kind,
    );
    expect(kinds).toEqual(['bad', 'event', 'continuation', 'nothing', 'bad']);
  });

  it('likes lines with a priority most, then with a pid, and no other stamped text', () => {
    const { likeness } = syslog3164;
    expect(likeness('<34>Oct 11 22:14:15 mymachine su: x')).toBe(0.95);
    expect(likeness('Oct 11 22:14:15 mymachine su[1]: x')).toBe(0.8);
    expect(likeness('Oct 11 22:14:15 mymachine su: x')).toBe(0.75);
    expect(likeness('2024-08-09T02:05:04.5+02:00 web1 cron[3]: x')).toBe(0.8);
    expect(likeness('2024-08-09T02:05:04Z web1 worker: x')).toBeLessThan(0.6);
    expect(likeness('2024-08-09 02:05:04 INFO main[1]: x')).toBeLessThan(0.6);
    expect(likeness('Fri Aug  9 00:05:04 2024 x')).toBe(0);
    expect(likeness('I0809 00:05:04.123456 1 x.go:1] y')).toBe(0);
    expect(likeness('<13>1 - - - - - -')).toBe(0);
    expect(likeness('{"a":1}')).toBe(0);
  });
});

type Vector = Readonly<{
  input: string;
  ok: Readonly<{
    priority: number;
    hostname?: string;
    appname?: string;
    procID?: string;
    message: string;
    timestampNoYear: string;
  }>;
}>;
const VECTORS = join(import.meta.dirname, '../../../../shared/data/vectors/go_syslog.json');
const hasVectors = existsSync(VECTORS);
const vectors = hasVectors ? (JSON.parse(readFileSync(VECTORS, 'utf8')) as { rfc3164: readonly Vector[] }).rfc3164 : [];

describe.skipIf(!hasVectors)(`vectors of go-syslog${hasVectors ? '' : ` (skipped: ${VECTORS} is absent)`}`, () => {
  it('are all there', () => expect(vectors.length).toBe(8));

  it.each(vectors)('$input', ({ input, ok }) => {
    const { fields, message, atUs } = event(input, { ...options, year: 2024 });
    const { facility: _facility, severity: _severity, ...rest } = fields;
    expect([rest, message, atUs]).toEqual([
      {
        ...(ok.hostname === undefined ? {} : { host: ok.hostname }),
        ...(ok.appname === undefined ? {} : { app: ok.appname }),
        ...(ok.procID === undefined ? {} : { pid: ok.procID }),
      },
      ok.message,
      us(`${ok.timestampNoYear} 2024 UTC`),
    ]);
  });
});
