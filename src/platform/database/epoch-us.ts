/** An instant of the database as epoch microseconds, in SQL. */
export const epochUs = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;
