export const EVALUATE_TRADES = 'alerts.evaluate-trades';
export const RELOAD_RULES = 'alerts.reload-rules';
/** Those that one process alone may run, the one that holds what markets know in memory. */
export const EVALUATOR_CONSUMERS = [
  EVALUATE_TRADES,
  'alerts.evaluate-anomalies',
  'alerts.evaluate-points',
  RELOAD_RULES,
  'alerts.note-gaps',
  'alerts.forget-gaps',
];
