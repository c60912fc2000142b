import { Bus1700000000001 } from './1700000000001-bus.js';
import { Ingestion1700000000002 } from './1700000000002-ingestion.js';
import { Processing1700000000003 } from './1700000000003-processing.js';
import { Aggregation1700000000004 } from './1700000000004-aggregation.js';
import { IngestionEveryVenue1700000000005 } from './1700000000005-ingestion-every-venue.js';
import { AggregationGapTimes1700000000006 } from './1700000000006-aggregation-gap-times.js';
import { AggregationRollups1700000000007 } from './1700000000007-aggregation-rollups.js';
import { AggregationAnomalies1700000000008 } from './1700000000008-aggregation-anomalies.js';
import { ProcessingPacking1700000000009 } from './1700000000009-processing-packing.js';
import { Alerts1700000000010 } from './1700000000010-alerts.js';
import { BusDeadLetters1700000000011 } from './1700000000011-bus-dead-letters.js';
import { Uploads1700000000012 } from './1700000000012-uploads.js';
import { ProcessingLogs1700000000013 } from './1700000000013-processing-logs.js';
import { Webhooks1700000000014 } from './1700000000014-webhooks.js';

/** In the order in which they run. */
export const MIGRATIONS = [
  Bus1700000000001,
  Ingestion1700000000002,
  Processing1700000000003,
  Aggregation1700000000004,
  IngestionEveryVenue1700000000005,
  AggregationGapTimes1700000000006,
  AggregationRollups1700000000007,
  AggregationAnomalies1700000000008,
  ProcessingPacking1700000000009,
  Alerts1700000000010,
  BusDeadLetters1700000000011,
  Uploads1700000000012,
  ProcessingLogs1700000000013,
  Webhooks1700000000014,
];
