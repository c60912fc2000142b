export { AggregationModule } from './aggregation.module.js';
