import { fault, type Range } from './condition-error.js';
import { type Token, tokensOf } from './tokens.js';

export type BinaryOp = '||' | '&&' | '<' | '<=' | '>' | '>=' | '==' | '!=' | '+' | '-' | '*' | '/' | '%';

/** What a text says, before anything is known of names and types. */
export type Node = Range &
  (
    | Readonly<{ kind: 'number'; value: number }>
    | Readonly<{ kind: 'text'; value: string }>
    | Readonly<{ kind: 'truth'; value: boolean }>
    | Readonly<{ kind: 'name'; name: string }>
    | Readonly<{ kind: 'call'; name: string; nameEnd: number; args: readonly Node[] }>
    | Readonly<{ kind: 'unary'; op: '!' | '-'; of: Node }>
    | Readonly<{ kind: 'binary'; op: BinaryOp; left: Node; right: Node }>
  );
export type Call = Extract<Node, { kind: 'call' }>;

export const MOST_CHARACTERS = 1000;
/** Literals, names, operators and calls. */
export const MOST_PARTS = 200;
/** Parentheses, calls and unary operators within one another. */
export const MOST_DEPTH = 32;

/** CEL's: the higher binds the tighter, and all go from the left. */
const PRECEDENCE: ReadonlyMap<string, number> = new Map([
  ['||', 1],
  ['&&', 2],
  ...['<', '<=', '>', '>=', '==', '!='].map((op) => [op, 3] as const),
  ['+', 4],
  ['-', 4],
  ['*', 5],
  ['/', 5],
  ['%', 5],
]);
const WORDS: ReadonlyMap<string, string> = new Map([
  ['and', '&&'],
  ['or', '||'],
  ['not', '!'],
  ['is', '=='],
]);
const VALUE = 'a number, a name, a text or (';

/** Reads a condition. Throws ConditionError; takes no more than the bounds allow, whatever the text. */
export function parse(source: string): Node {
  if (source.length > MOST_CHARACTERS)
    throw fault(
      'too-long',
      { start: MOST_CHARACTERS, end: source.length },
      `${source.length} characters, ${MOST_CHARACTERS} at most`,
    );
  return new Parser(tokensOf(source)).whole();
}

class Parser {
  private at = 0;
  private parts = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  whole(): Node {
    const node = this.binary(1);
    if (this.token.kind !== 'end') throw this.unexpected('an operator or the end');
    return node;
  }

  private get token(): Token {
    return this.tokens[this.at]!;
  }

  private binary(least: number): Node {
    let left = this.unary();
    for (;;) {
      const { kind, text: op } = this.token;
      const binds = kind === 'sign' ? (PRECEDENCE.get(op) ?? 0) : 0;
      if (binds < least) return left;
      this.count();
      this.at++;
      const right = this.binary(binds + 1);
      left = { kind: 'binary', op: op as BinaryOp, left, right, start: left.start, end: right.end };
    }
  }

  private unary(): Node {
    const { kind, text, start } = this.token;
    if (kind !== 'sign' || (text !== '!' && text !== '-')) return this.primary();
    this.count();
    const of = this.nested(() => {
      this.at++;
      return this.unary();
    });
    return { kind: 'unary', op: text, of, start, end: of.end };
  }

  private primary(): Node {
    const { kind, text, start, end } = this.token;
    if (kind === 'sign' && text === '(') return this.parenthesised();
    if (kind === 'sign' || kind === 'end') throw this.unexpected(VALUE);
    this.count();
    this.at++;
    if (kind === 'number') return { kind, value: Number(text), start, end };
    if (kind === 'text') return { kind, value: text, start, end };
    if (text === 'true' || text === 'false') return { kind: 'truth', value: text === 'true', start, end };
    if (this.is('(')) return this.call(text, start, end);
    return { kind, name: text, start, end };
  }

  /** Parentheses are no part; what stands in them is told with them. */
  private parenthesised(): Node {
    const { start } = this.token;
    return this.nested(() => {
      this.at++;
      const node = this.binary(1);
      const end = this.close('an operator or )');
      return { ...node, start, end };
    });
  }

  private call(name: string, start: number, nameEnd: number): Node {
    return this.nested(() => {
      this.at++;
      const args: Node[] = [];
      if (!this.is(')')) args.push(this.binary(1));
      while (this.is(',')) {
        this.at++;
        args.push(this.binary(1));
      }
      const end = this.close('an operator, a comma or )');
      return { kind: 'call', name, nameEnd, args, start, end };
    });
  }

  private is(sign: string): boolean {
    return this.token.kind === 'sign' && this.token.text === sign;
  }

  private close(expected: string): number {
    if (!this.is(')')) throw this.unexpected(expected);
    return this.tokens[this.at++]!.end;
  }

  private nested<T>(read: () => T): T {
    if (++this.depth > MOST_DEPTH) throw fault('too-deep', this.token, `deeper than ${MOST_DEPTH} levels`);
    const result = read();
    this.depth--;
    return result;
  }

  private count(): void {
    if (++this.parts > MOST_PARTS) throw fault('too-many-parts', this.token, `more than ${MOST_PARTS} parts`);
  }

  private unexpected(expected: string) {
    const { kind, text } = this.token;
    const what = kind === 'end' ? 'the end' : kind === 'text' ? 'a text' : text;
    const instead = kind === 'name' ? WORDS.get(text) : undefined;
    return fault(
      'unexpected',
      this.token,
      `${what.slice(0, 40)} stands where ${expected} is expected${instead ? `; write ${instead}` : ''}`,
      expected,
    );
  }
}
