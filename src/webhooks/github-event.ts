import { type Json, parseInstant } from '../contracts/index.js';
import type { Normalised } from './normalised.js';

type Row = Readonly<Record<string, unknown>>;

/**
 * What an event is about stands in its payload under the event's own name (`issues` apart), but for these. Source: one
 * payload of each of 60 events, github octokit/webhooks, commit 3a58428.
 */
const SUBJECTS: Readonly<Record<string, string>> = {
  branch_protection_rule: 'rule',
  code_scanning_alert: 'alert',
  commit_comment: 'comment',
  dependabot_alert: 'alert',
  deploy_key: 'key',
  deployment_review: 'workflow_job_run',
  discussion_comment: 'comment',
  fork: 'forkee',
  installation_repositories: 'installation',
  issue_comment: 'comment',
  issues: 'issue',
  meta: 'hook',
  org_block: 'blocked_user',
  page_build: 'build',
  pull_request_review: 'review',
  pull_request_review_comment: 'comment',
  pull_request_review_thread: 'thread',
  push: 'head_commit',
  repository_vulnerability_alert: 'alert',
  secret_scanning_alert: 'alert',
  team_add: 'team',
};
/** What a comment or review hangs on: its number, title and address stand in where the subject has none. */
const PARENTS = ['issue', 'pull_request', 'discussion'];
/** When it happened, the most telling first. */
const INSTANTS = ['submitted_at', 'updated_at', 'completed_at', 'published_at', 'started_at', 'created_at'];
const OF_PAYLOAD = ['starred_at', 'effective_date', 'updated_at', 'since'];
const MOST_TEXT = 300;

/** A payload of GitHub in the shape that all webhooks are brought to. Events and actions it does not know are kept too. */
export function githubEvent(type: string, payload: Row, receivedAtUs: number): Normalised {
  const subject = rowOf(payload[SUBJECTS[type] ?? type]);
  const parent = PARENTS.map((name) => rowOf(payload[name])).find((one) => one !== NONE) ?? NONE;
  const repository = rowOf(payload.repository);
  return {
    type,
    action: text(payload.action),
    repository: text(repository.full_name),
    actor: text(rowOf(payload.sender).login) ?? text(rowOf(payload.pusher).name),
    ref: refOf(payload, subject),
    number: whole(payload.number) ?? whole(subject.number) ?? whole(parent.number),
    url: urlOf(type, payload, subject, parent, repository),
    fields: fieldsOf(type, payload, subject, parent),
    atUs: timeOf(type, payload, subject, parent) ?? receivedAtUs,
  };
}

function refOf(payload: Row, subject: Row): string | null {
  const pull = rowOf(payload.pull_request);
  const branch = rowOf(subject.check_suite).head_branch ?? subject.head_branch ?? subject.head_ref;
  return (
    text(payload.ref) ??
    text(rowOf(pull.head).ref) ??
    text(branch) ??
    text(rowOf(payload.deployment).ref) ??
    text(rowOf(payload.workflow_run).head_branch) ??
    text(subject.tag_name) ??
    text(payload.branch)
  );
}

function urlOf(type: string, payload: Row, subject: Row, parent: Row, repository: Row): string | null {
  if (type === 'push') return text(payload.compare);
  if (type === 'status') return text(payload.target_url) ?? text(rowOf(payload.commit).html_url);
  return text(subject.html_url) ?? text(parent.html_url) ?? text(repository.html_url);
}

function timeOf(type: string, payload: Row, subject: Row, parent: Row): number | undefined {
  // a commit may be years old when it is pushed
  if (type === 'push') return instant(rowOf(payload.repository).pushed_at);
  if (type === 'ping') return undefined;
  const told = [
    ...OF_PAYLOAD.map((name) => payload[name]),
    ...INSTANTS.map((name) => subject[name]),
    ...INSTANTS.map((name) => parent[name]),
  ];
  return told.map(instant).find((at) => at !== undefined);
}

/** What a list of events is read for. */
function fieldsOf(type: string, payload: Row, subject: Row, parent: Row): Record<string, Json> {
  const commits = Array.isArray(payload.commits) ? payload.commits.length : undefined;
  const head = type === 'push' ? payload.after : (subject.head_sha ?? subject.sha ?? payload.sha ?? subject.commit_id);
  const told: Record<string, Json | undefined> = {
    title: text(subject.title) ?? text(parent.title) ?? text(subject.name) ?? undefined,
    state: text(subject.conclusion) ?? text(subject.state) ?? text(subject.status) ?? text(payload.state) ?? undefined,
    merged: typeof subject.merged === 'boolean' ? subject.merged : undefined,
    sha: text(head) ?? undefined,
    commits,
    message: type === 'push' ? (text(subject.message) ?? undefined) : undefined,
    refType: text(payload.ref_type) ?? undefined,
    label: text(rowOf(payload.label).name) ?? undefined,
    environment: text(payload.environment) ?? text(subject.environment) ?? undefined,
    context: text(payload.context) ?? undefined,
  };
  return Object.fromEntries(Object.entries(told).filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

const NONE: Row = {};

function rowOf(value: unknown): Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : NONE;
}

/** Cut, without what PostgreSQL cannot hold; null when it is no text or empty. */
function text(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null;
  return value.slice(0, MOST_TEXT).replaceAll('\0', '\u2400').toWellFormed();
}

const whole = (value: unknown): number | null => (Number.isSafeInteger(value) ? (value as number) : null);

/** RFC 3339, or epoch seconds, to epoch microseconds. */
function instant(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value < 1e11) return value * 1_000_000;
  return typeof value === 'string' ? parseInstant(value) : undefined;
}
