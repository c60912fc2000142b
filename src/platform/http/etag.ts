import { badParameter } from '../errors/index.js';

/** The `ETag` of something that has another version with each edit. */
export const etagOf = ({ version }: Readonly<{ version: number }>): string => `"${version}"`;

/**
 * The versions that `If-Match` names: `"3"`, or a list of such; undefined: any. A weak one matches nothing (RFC 9110,
 * section 13.1.1). Throws the problem for what is none.
 */
export function versionsOf(ifMatch: string | undefined): number[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  const versions = ifMatch
    .slice(0, 400)
    .split(',')
    .map((tag) => /^"(\d{1,9})"$/.exec(tag.trim())?.[1]);
  if (versions.includes(undefined))
    throw badParameter('If-Match', 'must be the ETag of an earlier answer, such as "3"');
  return versions.map(Number);
}
