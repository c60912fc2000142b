import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileTemplate, PLACEHOLDERS, TemplateError, type TemplateValues } from './template.js';

const VALUES = {
  ...Object.fromEntries(PLACEHOLDERS.map((name) => [name, `<${name}>`])),
  labels: { team: '{rule}' },
} as unknown as TemplateValues;

describe('a template', () => {
  it('fills in what it names, labels and braces', () => {
    const template = compileTemplate('{{{symbol}}} {severity}: {labels.team} {labels.none}.');
    expect(template.render(VALUES)).toBe('{<symbol>} <severity>: {rule} .');
  });

  it('escapes what is filled in, not its own text', () =>
    expect(compileTemplate('<b>{rule}</b>').render(VALUES, (value) => value.replaceAll('<', '&lt;'))).toBe(
      '<b>&lt;rule></b>',
    ));

  it.each([
    ['price {valeu}', 6, 'names {valeu}'],
    ['a {', 2, 'has a brace'],
    ['a } b', 2, 'has a brace'],
    ['{}', 0, 'names {}'],
    ['{constructor}', 0, 'names {constructor}'],
    ['{labels.a b}', 0, 'names {labels.a b}'],
    ['{rule}'.repeat(300), 1200, 'may hold 200 placeholders'],
  ])('that is wrong is refused, and says where: %.20s', (text, position, expected) => {
    let thrown: unknown;
    try {
      compileTemplate(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TemplateError);
    expect(thrown).toMatchObject({ position, expected: expect.stringContaining(expected) });
  });

  it.each(['constructor', '__proto__', 'toString'])('fills in nothing for a label %s that is not there', (name) =>
    expect(compileTemplate(`a{labels.${name}}b`).render(VALUES, (value) => value.trim())).toBe('ab'),
  );

  it('of any text is refused or filled in, in a bounded size', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', 'rule', 'labels.team', ' ', '.', 'é') }), (text) => {
        try {
          expect(compileTemplate(text).render(VALUES).length).toBeLessThanOrEqual(20_000);
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
        }
      }),
      { numRuns: 2000 },
    ));

  it('gives any text back whose braces are doubled', () =>
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        expect(compileTemplate(text.replaceAll('{', '{{').replaceAll('}', '}}')).render(VALUES)).toBe(text);
      }),
    ));
});
