/** A text with `{placeholders}`; `{{` and `}}` stand for braces. Nothing in it is code. */
export type Template = Readonly<{
  /** `escape` is for what is filled in, not for the text itself. */
  render(values: TemplateValues, escape?: (value: string) => string): string;
}>;

export const PLACEHOLDERS = [
  'alertId',
  'at',
  'channel',
  'condition',
  'duration',
  'held',
  'link',
  'reason',
  'rule',
  'ruleId',
  'severity',
  'source',
  'startedAt',
  'status',
  'symbol',
  'threshold',
  'value',
] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];
export type TemplateValues = Readonly<Record<Placeholder, string>> &
  Readonly<{ labels: Readonly<Record<string, string>> }>;

/** Says where, as an offset, and what would be right. */
export class TemplateError extends Error {
  constructor(
    readonly position: number,
    readonly expected: string,
  ) {
    super(`${expected} (at character ${position + 1})`);
    this.name = 'TemplateError';
  }
}

const MOST_PLACEHOLDERS = 200;
const MOST_RENDERED = 20_000;
const LABEL = /^labels\.([\w.-]{1,60})$/;
const PART = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;

type Part = string | Readonly<{ name: Placeholder }> | Readonly<{ label: string }>;

/** Throws TemplateError. */
export function compileTemplate(text: string): Template {
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(PART)) {
    const [whole, name] = match;
    parts.push(text.slice(end, match.index));
    parts.push(whole === '{{' ? '{' : whole === '}}' ? '}' : placeholderOf(name?.trim(), match.index));
    end = match.index + whole.length;
    if (parts.length > MOST_PLACEHOLDERS * 2)
      throw new TemplateError(match.index, `may hold ${MOST_PLACEHOLDERS} placeholders at most`);
  }
  parts.push(text.slice(end));
  return {
    render: (values, escape = (value) => value) =>
      parts
        .map((part) => {
          if (typeof part === 'string') return part;
          if ('name' in part) return escape(values[part.name]);
          return escape(Object.hasOwn(values.labels, part.label) ? values.labels[part.label]! : '');
        })
        .join('')
        .slice(0, MOST_RENDERED),
  };
}

function placeholderOf(name: string | undefined, position: number): Part {
  if (name === undefined)
    throw new TemplateError(position, 'has a brace that belongs to no placeholder; a brace itself is written {{ or }}');
  const label = LABEL.exec(name)?.[1];
  if (label !== undefined) return { label };
  if ((PLACEHOLDERS as readonly string[]).includes(name)) return { name: name as Placeholder };
  throw new TemplateError(
    position,
    `names {${name.slice(0, 40)}}, which is none of ${PLACEHOLDERS.join(', ')} and labels.<name>`,
  );
}
