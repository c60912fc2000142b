import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogLine, Reading, ReadOptions } from './format.js';
import { DEPTH_LIMIT, json, parseExact } from './json-lines.js';

const AT = Date.parse('2024-08-09T00:05:04.123Z') * 1000;
const options: ReadOptions = { receivedAtUs: AT + 1e12, offsetMinutes: 0 };
const read = (text: string): Reading => json.read(text, null, options, 1);
const event = (text: string): LogLine => {
  const reading = read(text);
  if (reading.kind !== 'event') throw new Error(JSON.stringify(reading));
  return reading.event;
};

describe('JSON lines', () => {
  it('finds level, time, message and trace id, and keeps the rest as fields', () => {
    expect(
      event(
        '{"level":"warn","time":"2024-08-09T00:05:04.123Z","msg":"slow","trace_id":"4bf9","ms":12,"tags":["a",null]}',
      ),
    ).toEqual({ atUs: AT, level: 'warn', message: 'slow', traceId: '4bf9', fields: { ms: 12, tags: ['a', null] } });
  });

  it.each([
    ['pino', '{"level":50,"time":1723161904123,"pid":1,"hostname":"h","msg":"m"}', 'error'],
    ['bunyan', '{"name":"a","level":20,"msg":"m","time":"2024-08-09T00:05:04.123Z","v":0}', 'debug'],
    ['zap', '{"level":"info","ts":1723161904.123,"caller":"a.go:1","msg":"m"}', 'info'],
    [
      'logstash',
      '{"@timestamp":"2024-08-09T00:05:04.123Z","message":"m","level":"ERROR","level_value":40000}',
      'error',
    ],
    ['ECS', '{"@timestamp":"2024-08-09T00:05:04.123Z","log.level":"warn","message":"m"}', 'warn'],
    [
      'nested ECS',
      '{"@timestamp":"2024-08-09T00:05:04.123Z","log":{"level":"warn","logger":"x"},"message":"m"}',
      'warn',
    ],
    ['Google', '{"severity":"CRITICAL","timestamp":"2024-08-09T00:05:04.123Z","message":"m"}', 'fatal'],
    ['Python', '{"asctime":"2024-08-09 00:05:04,123","levelname":"WARNING","message":"m"}', 'warn'],
    ['Python levelno', '{"asctime":"2024-08-09 00:05:04,123","levelno":20,"message":"m"}', 'info'],
    ['structlog', '{"event":"m","level":"info","timestamp":"2024-08-09T00:05:04.123Z"}', 'info'],
    ['Serilog', '{"@t":"2024-08-09T00:05:04.123Z","@m":"m","@l":"Warning"}', 'warn'],
    ['MongoDB', '{"t":{"$date":"2024-08-09T00:05:04.123+00:00"},"s":"I","c":"NETWORK","msg":"m"}', 'info'],
    ['GELF', '{"version":"1.1","short_message":"m","timestamp":1723161904.123,"level":3}', 'error'],
    ['journald', '{"MESSAGE":"m","PRIORITY":"4","__REALTIME_TIMESTAMP":"1723161904123000"}', 'warn'],
    ['OpenTelemetry', '{"timestamp":"1723161904123000000","severity_text":"ERROR2","body":"m"}', 'error'],
    ['docker', '{"log":"m\\n","stream":"stdout","time":"2024-08-09T00:05:04.123000000Z"}', undefined],
    ['nanoseconds as a number', '{"ts":1723161904123000001,"lvl":"dbg","text":"m"}', 'debug'],
  ])('reads what %s writes', (_writer, line, level) => {
    const { atUs, message, level: told } = event(line);
    expect({ atUs, message, level: told }).toEqual({ atUs: AT, message: 'm', level });
  });

  it.each([
    ['{"trace_id":"a"}', 'a'],
    ['{"traceId":"a"}', 'a'],
    ['{"trace.id":"a"}', 'a'],
    ['{"trace":{"id":"a"}}', 'a'],
    ['{"dd.trace_id":"7"}', '7'],
    ['{"dd":{"trace_id":13577623429417243007}}', '13577623429417243007'],
    ['{"logging.googleapis.com/trace":"projects/p/traces/a"}', 'a'],
    ['{"trace_id":""}', undefined],
    ['{"trace_id":{}}', undefined],
  ])('finds the trace id of %s', (line, traceId) => expect(event(line).traceId).toBe(traceId));

  it('keeps as a field what stands under a usual name but is nothing of the kind', () => {
    expect(event('{"level":"banana","time":"soon","message":{"a":1},"msg":7,"timestamp":12}')).toMatchObject({
      fields: { level: 'banana', time: 'soon', message: { a: 1 }, msg: 7, timestamp: 12 },
    });
    expect(event('{"time":"never","ts":1723161904,"msg":"","message":"m"}')).toEqual({
      atUs: 1_723_161_904_000_000,
      message: 'm',
      fields: { time: 'never', msg: '' },
    });
  });

  it('takes the error for a message where there is none, else the line', () => {
    expect(event('{"error":"broken","a":1}')).toEqual({ message: 'broken', fields: { error: 'broken', a: 1 } });
    expect(event('{"err":{"message":"broken"}}').message).toBe('broken');
    expect(event('  {"a":1}').message).toBe('{"a":1}');
  });

  it.each([
    ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740993', '9007199254740993'],
    ['-9007199254740993', '-9007199254740993'],
    ['65083.670000000000001', '65083.670000000000001'],
    ['1e400', '1e400'],
    ['1e-400', '1e-400'],
    ['0.1', 0.1],
    ['1e3', 1000],
    ['1.50', 1.5],
    ['0.0000000000000000001', 1e-19],
    ['9007199254740994', '9007199254740994'],
    ['12345678901234567890123456789012345678901234567890', '12345678901234567890123456789012345678901234567890'],
  ])('holds the number %s exactly', (source, value) => {
    expect(event(`{"n":${source},"deep":[{"n":${source}}]}`).fields).toEqual({ n: value, deep: [{ n: value }] });
  });

  it('keeps every number that it gives back as one', () => {
    fc.assert(
      fc.property(fc.double(), (number) => {
        if (!Number.isFinite(number)) return;
        const source = JSON.stringify(number);
        expect(String(event(`{"n":${source}}`).fields['n'])).toBe(source);
      }),
    );
  });

  it('makes a field of __proto__, and nobody a prototype', () => {
    const { fields } = event('{"__proto__":{"level":"x"},"constructor":1,"n":12345678901234567890}');
    expect(Object.getPrototypeOf(fields)).toBe(Object.prototype);
    expect(JSON.stringify(fields)).toBe('{"__proto__":{"level":"x"},"constructor":1,"n":"12345678901234567890"}');
  });

  it('passes over a byte order mark, blanks, and the brackets and commas of a list', () => {
    expect(event('\uFEFF {"msg":"m"} ').message).toBe('m');
    expect(event('{"msg":"m"},').message).toBe('m');
    expect([read(''), read('  '), read('['), read(']'), read('\uFEFF')].map(({ kind }) => kind)).toEqual(
      Array.from({ length: 5 }, () => 'nothing'),
    );
  });

  it.each([
    ['hello', 'it is not JSON'],
    ['{"a":1', 'it is not JSON'],
    ['{"a":1}}', 'it is not JSON'],
    ['{', 'it is not JSON'],
    ['{"a":"\u0001"}', 'it is not JSON'],
    ['[1]', 'it is no JSON object'],
    ['"a"', 'it is no JSON object'],
    ['null', 'it is no JSON object'],
    ['12', 'it is no JSON object'],
  ])('refuses %s', (line, message) => {
    const reading = read(line);
    expect(reading).toMatchObject({ kind: 'bad', message: expect.stringContaining(message) as string });
  });

  it('says where a line stops to be JSON, but quotes none of it', () => {
    expect(read(' {"a":1')).toEqual({
      kind: 'bad',
      message: "it is not JSON: Expected ',' or '}' after property value",
      column: 8,
    });
    expect(read('{"password":hunter2}')).toMatchObject({ message: "it is not JSON: Unexpected token 'h'" });
  });

  it('bounds depth, whatever is in quotes', () => {
    const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    expect(read(nested(DEPTH_LIMIT)).kind).toBe('event');
    expect(read(nested(DEPTH_LIMIT + 1))).toMatchObject({ kind: 'bad', message: 'it is nested more than 64 deep' });
    expect(read(`{"a":${'['.repeat(60_000)}`).kind).toBe('bad');
    expect(event(`{"msg":"${'[{\\"'.repeat(1000)}"}`).message).toHaveLength(3000);
  });

  it('is as JSON.parse but for the type of long numbers', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (line) => {
        const parsed = parseExact(line);
        const asWritten = (_key: string, value: unknown): unknown =>
          typeof value === 'number' ? String(value) : value;
        expect(parsed.ok && JSON.stringify(parsed.value, asWritten)).toBe(JSON.stringify(JSON.parse(line), asWritten));
      }),
    );
  });

  it('looks for objects only', () => {
    expect(['{"a":1}', '{}', ' { "a":1 },', '\uFEFF{"a":1}'].map(json.likeness)).toEqual([0.9, 0.9, 0.9, 0.9]);
    expect(['', '{', '{foo}', '[1]', '{"a":1', 'x {"a":1}', '"}'].map(json.likeness)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });
});
