import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatInstant } from '../contracts/index.js';
import { githubEvent } from './github-event.js';

const FOLDER = new URL('../../../shared/data/github/', import.meta.url);
const NOW_US = Date.parse('2026-11-21T00:00:00Z') * 1000;

describe.skipIf(!existsSync(FOLDER))('recorded payloads (../shared/data/github)', () => {
  const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((file) => file.endsWith('.json')) : [];
  const read = (type: string) => {
    const payload = JSON.parse(readFileSync(new URL(`${type}.json`, FOLDER), 'utf8')) as Record<string, unknown>;
    const { atUs, ...event } = githubEvent(type, payload, NOW_US);
    return { ...event, at: formatInstant(atUs) };
  };

  it('are of sixty events', () => expect(files).toHaveLength(60));

  it.each(files.map((file) => file.slice(0, -5)))('%s has what its payload tells', (type) => {
    const payload = JSON.parse(readFileSync(new URL(`${type}.json`, FOLDER), 'utf8'));
    const event = read(type);
    expect(event.type).toBe(type);
    expect(event.action).toBe(payload.action ?? null);
    expect(event.repository).toBe(payload.repository?.full_name ?? null);
    expect(event.actor).toBe(payload.sender?.login ?? null);
    if (payload.ref !== undefined) expect(event.ref).toBe(payload.ref);
    if (event.repository !== null) expect(event.url).toMatch(/^https?:\/\//);
  });

  it.each([
    ['push', { ref: 'refs/tags/simple-tag', at: '2019-05-15T15:20:57Z', number: null }],
    ['issues', { number: 1, url: 'https://github.com/Codertocat/Hello-World/issues/1', at: '2019-05-15T15:20:18Z' }],
    ['issue_comment', { number: 1, at: '2019-05-15T15:20:21Z' }],
    ['pull_request', { number: 2, ref: 'changes', at: '2019-05-15T15:20:37Z' }],
    ['pull_request_review', { number: 2, ref: 'changes', at: '2019-05-15T15:20:38Z' }],
    ['pull_request_review_thread', { number: 2, at: '2019-05-15T15:20:38Z' }],
    ['discussion_comment', { number: 4, at: '2021-03-30T20:21:30Z' }],
    [
      'release',
      { ref: '0.0.1', at: '2019-05-15T15:20:53Z', url: 'https://github.com/Codertocat/Hello-World/releases/tag/0.0.1' },
    ],
    ['workflow_run', { ref: 'master', at: '2020-10-05T16:33:24Z' }],
    ['workflow_job', { ref: 'main', at: '2021-09-13T02:21:13Z' }],
    ['check_suite', { ref: 'main', at: '2019-05-15T15:21:14Z' }],
    ['deployment_status', { ref: 'master', at: '2019-05-15T15:20:55Z' }],
    ['merge_group', { ref: 'refs/heads/gh-readonly-queue/main/pr-104-929f8209d40f77f4abc622a499c93a83babdbe64' }],
    ['status', { at: '2019-05-15T15:20:55Z' }],
    ['dependabot_alert', { number: 1, at: '2022-06-15T13:55:40Z' }],
    ['branch_protection_rule', { at: '2021-08-19T16:16:32Z' }],
    ['ping', { at: '2026-11-21T00:00:00Z' }],
    ['watch', { at: '2026-11-21T00:00:00Z' }],
  ])('%s in particular', (type, expected) => expect(read(type)).toMatchObject(expected));
});

describe('a payload of any shape', () => {
  it('becomes an event that PostgreSQL can hold', () => {
    const keys = fc.constantFrom(
      'action',
      'issue',
      'sender',
      'login',
      'repository',
      'full_name',
      'number',
      'ref',
      'commits',
      'updated_at',
      'title',
    );
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.string({ unit: 'binary' }),
        fc.integer(),
        fc.constant(null),
        fc.constant('\0\ud800'),
        tie('row'),
      ),
      row: fc.dictionary(keys, tie('node')),
    }));
    fc.assert(
      fc.property(fc.constantFrom('issues', 'push', 'novelty'), fc.dictionary(keys, node), (type, payload) => {
        const { atUs, ...event } = githubEvent(type, payload, NOW_US);
        expect(Number.isSafeInteger(atUs)).toBe(true);
        const json = JSON.stringify(event);
        expect(json).not.toMatch(/\\u0000|\\ud[89a-f]/i);
        expect(json.length).toBeLessThan(10_000);
      }),
    );
  });
});
