export type { Bar, Indicator, IndicatorSpec, IndicatorValue } from './indicator.js';
export * from './names.js';
