import type { AnomalyDetectedV1Data } from './aggregation.events.js';
import { formatInstant } from './instant.js';

/** An anomaly as REST and the live streams both tell it. */
export function anomalyBody({ anomalyId, symbol, source, kind, detector, severity, ...found }: AnomalyDetectedV1Data) {
  const { score, threshold, value, expected, lower, upper, atUs } = found;
  const at = formatInstant(atUs);
  return {
    id: anomalyId,
    symbol,
    source,
    kind,
    detector,
    severity,
    score,
    threshold,
    value,
    expected,
    lower,
    upper,
    at,
  };
}
