import type { FieldFault } from '../../platform/errors/index.js';
import { isZone } from '../expectation.js';
import { compileTemplate, TemplateError } from '../messages/template.js';
import type { ChannelTarget, ChannelType } from './channel.js';

type Config = Readonly<Record<string, unknown>>;
type Field = Readonly<{
  expected: string;
  holds: (value: unknown) => boolean;
  isRequired?: (config: Config) => boolean;
  /** Written, never read back: an edit that leaves it out keeps it, null takes it away. */
  isSecret?: true;
}>;

const always = (): boolean => true;
const isText = (most: number, pattern: RegExp) => (value: unknown) =>
  typeof value === 'string' && value.length <= most && pattern.test(value);
const MAIL_ADDRESS = /^[^\s@<>,;:"()[\]\\]{1,64}@[A-Za-z0-9.-]{1,255}$/;
const HEADER_TEXT = /^[\x21-\x7e]+$/;
const MOST_URL = 2000;

const HTTP_URL: Field = {
  expected: 'must be an http:// or https:// URL without user, password and fragment',
  holds: (value) => isUrl(value, ['http:', 'https:']) && isBare(value as string),
};
const TEXTS: Readonly<Record<string, Field>> = {
  title: { expected: 'must be a text of 1 to 200 characters', holds: isText(200, /\S/) },
  body: { expected: 'must be a text of 1 to 4000 characters', holds: isText(4000, /\S/) },
  timeZone: { expected: 'must be an IANA time zone such as Europe/Berlin', holds: isZone },
};
const FIELDS: Readonly<Record<ChannelType, Readonly<Record<string, Field>>>> = {
  email: {
    to: { expected: 'must be a list of 1 to 20 mail addresses', holds: areAddresses, isRequired: always },
    from: { expected: 'must be a mail address', holds: isText(320, MAIL_ADDRESS) },
    smtpUrl: {
      expected: 'must be a URL such as smtp://user:password@host:587 or smtps://host, without a path and parameters',
      holds: (value) =>
        isUrl(value, ['smtp:', 'smtps:']) &&
        /^smtps?:\/\/[^/?#]+\/?$/.test(value as string) &&
        isDecodable(value as string),
      isSecret: true,
    },
  },
  slack: { url: { ...HTTP_URL, isRequired: always, isSecret: true } },
  webhook: {
    url: { ...HTTP_URL, isRequired: always },
    format: {
      expected: 'must be standard or alertmanager',
      holds: (value) => value === 'standard' || value === 'alertmanager',
    },
    secret: {
      expected: 'must be whsec_ and 24 to 64 bytes in base64, as `echo whsec_$(openssl rand -base64 32)` makes one',
      holds: isSigningSecret,
      isRequired: ({ format }) => format !== 'alertmanager',
      isSecret: true,
    },
    previousSecret: { expected: 'must be a secret as `secret` is', holds: isSigningSecret, isSecret: true },
    bearerToken: {
      expected: 'must be 1 to 1000 printable characters without spaces',
      holds: isText(1000, HEADER_TEXT),
      isSecret: true,
    },
  },
  pagerduty: {
    routingKey: {
      expected: 'must be the integration key of 32 letters and digits',
      holds: isText(32, /^[A-Za-z0-9]{32}$/),
      isRequired: always,
      isSecret: true,
    },
    url: HTTP_URL,
  },
};

/** What a config should hold of its type; every fault is told. `config` is the target as far as there are none. */
export function readConfig(type: ChannelType, given: Config): { target: ChannelTarget; faults: FieldFault[] } {
  const config: Config = type === 'webhook' ? { format: 'standard', ...given } : given;
  const fields = fieldsOf(type);
  const faults: FieldFault[] = Object.keys(config)
    .filter((name) => !Object.hasOwn(fields, name))
    .map((name) => fault(name.slice(0, 40), `is none of ${Object.keys(fields).join(', ')}`));
  for (const [name, field] of Object.entries(fields)) {
    const value = config[name];
    if (value === undefined ? field.isRequired?.(config) === true : !field.holds(value))
      faults.push(fault(name, field.expected));
    else if (name === 'title' || name === 'body') faults.push(...templateFaults(name, value));
  }
  return { target: { type, config } as unknown as ChannelTarget, faults };
}

/** A config as given, with the secrets that it leaves out as they were; null takes a field away. */
export function withKeptSecrets(type: ChannelType, given: Config, stored: Config | undefined): Config {
  const kept = secretsOf(type).filter((name) => given[name] === undefined && stored?.[name] !== undefined);
  return Object.fromEntries(
    [...Object.entries(given), ...kept.map((name) => [name, stored![name]] as const)].filter(
      ([, value]) => value !== null,
    ),
  );
}

/** Secrets that would go to another address than they were given for: they must be given again. */
export function strayedSecrets(type: ChannelType, given: Config, stored: Config | undefined): FieldFault[] {
  if (!stored || originOf(given.url) === originOf(stored.url)) return [];
  return secretsOf(type)
    .filter((name) => name !== 'url' && given[name] === undefined && stored[name] !== undefined)
    .map((name) => fault(name, 'must be given again with an address on another server, or null to take it away'));
}

/** A config as it may be shown: without its secrets, which are named. */
export function shownConfig({ type, config }: ChannelTarget): { config: Config; secretsSet: string[] } {
  const secrets = secretsOf(type).filter((name) => (config as Config)[name] !== undefined);
  const shown = Object.entries(config)
    .filter(([name]) => !secrets.includes(name))
    .map(([name, value]) => [name, name === 'url' ? withoutQuery(value as string) : (value as unknown)]);
  return { config: Object.fromEntries(shown) as Config, secretsSet: secrets };
}

/** What a receiver said, which may be what it was sent, without the secrets of the channel. */
export function withoutSecrets(said: string, target: ChannelTarget): string {
  let text = said;
  for (const secret of secretTextsOf(target)) {
    text = text.replaceAll(secret, '…');
    // what it said was cut, maybe within a secret
    for (let length = Math.min(secret.length, text.length); length >= LEAST_SECRET; length--)
      if (text.endsWith(secret.slice(0, length))) text = `${text.slice(0, -length)}…`;
  }
  return text;
}

const LEAST_SECRET = 4;

/** Every spelling of what must not be shown, the longest first. */
function secretTextsOf({ type, config }: ChannelTarget): string[] {
  const given = config as Config;
  const texts = secretsOf(type).flatMap((name) => given[name] ?? []) as string[];
  const urls = ['url', 'smtpUrl'].flatMap((name) => (typeof given[name] === 'string' ? [new URL(given[name])] : []));
  for (const { pathname, search, searchParams, username, password } of urls) {
    texts.push(search.slice(1), ...searchParams.values());
    if (type === 'slack') texts.push(pathname, ...pathname.split('/').slice(-2));
    const [user, pass] = [username, password].map(decodeURIComponent);
    if (password !== '') texts.push(password, pass!, base64(pass!), base64(`\0${user}\0${pass}`));
  }
  const all = texts.flatMap((text) => [text, text.replace(/^whsec_/, ''), JSON.stringify(text).slice(1, -1)]);
  return [...new Set(all)].filter(({ length }) => length >= LEAST_SECRET).toSorted((a, b) => b.length - a.length);
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const fieldsOf = (type: ChannelType): Readonly<Record<string, Field>> => ({ ...FIELDS[type], ...TEXTS });
const secretsOf = (type: ChannelType): string[] =>
  Object.entries(fieldsOf(type)).flatMap(([name, { isSecret }]) => (isSecret ? [name] : []));

const fault = (name: string, message: string): FieldFault => ({ field: `config.${name}`, message });

function templateFaults(name: string, value: unknown): FieldFault[] {
  try {
    if (value !== undefined) compileTemplate(value as string);
    return [];
  } catch (error) {
    if (error instanceof TemplateError) return [fault(name, error.message)];
    throw error;
  }
}

function isUrl(value: unknown, protocols: readonly string[]): boolean {
  if (typeof value !== 'string' || value.length > MOST_URL || /[\s\p{Cc}]/u.test(value) || !URL.canParse(value))
    return false;
  const { protocol, hostname, port } = new URL(value);
  return protocols.includes(protocol) && hostname !== '' && port !== '0';
}

function isBare(value: string): boolean {
  const { username, password } = new URL(value);
  return username === '' && password === '' && !value.includes('#');
}

/** User and password of a URL are percent-encoded. */
function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== '';
  } catch {
    return false;
  }
}

/** What stands behind `?` may be a token. */
function withoutQuery(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return search === '' ? url : `${origin}${pathname}?…`;
}

const originOf = (url: unknown): string => (URL.canParse(String(url)) ? new URL(String(url)).origin : '');

function areAddresses(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 20 &&
    new Set(value).size === value.length &&
    value.every(isText(320, MAIL_ADDRESS))
  );
}

/** Standard Webhooks: 24 to 64 bytes in base64 behind the prefix. */
function isSigningSecret(value: unknown): boolean {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]{20,100}={0,2})$/.exec(String(value)) ?? [];
  if (typeof value !== 'string' || encoded === undefined) return false;
  const bytes = Math.floor((encoded.replaceAll('=', '').length * 3) / 4);
  return bytes >= 24 && bytes <= 64;
}
