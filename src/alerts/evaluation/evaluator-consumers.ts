export const EVALUATE_TRADES = 'alerts.evaluate-trades';
/** Those that one process alone may run, the one that holds what markets know in memory. */
export const EVALUATOR_CONSUMERS = [
  EVALUATE_TRADES,
  'alerts.evaluate-anomalies',
  'alerts.evaluate-points',
  'alerts.reload-rules',
  'alerts.note-gaps',
  'alerts.forget-gaps',
];
