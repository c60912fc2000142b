/** How OpenAPI tells an exact decimal: as text. */
export const DECIMAL = { type: String, format: 'decimal' } as const;
