import { DDSketch } from '@datadog/sketches-js';
import { Injectable } from '@nestjs/common';
import { type Measure, RELATIVE_ERROR } from './rollup.js';
import type { BinMapping } from './sketch.js';
import { type StoredSummary, Summary } from './summary.js';

/**
 * Makes summaries, of the sketch library's bins. Only its mapping of values to bins is taken: in 2.1.1 `merge` forgets
 * negative values (DataDog/sketches-js#22) and loses counts where the highest bin is number 0, and a value of another
 * magnitude overflows the stack. The bins are kept in sketch.ts.
 */
@Injectable()
export class Summaries {
  private readonly mappings: Readonly<Record<Measure, BinMapping>> = {
    price: mappingFor('price'),
    volume: mappingFor('volume'),
    value: mappingFor('value'),
  };

  readonly empty = (measure: Measure): Summary => new Summary(this.mappings[measure]);

  stored(measure: Measure, stored: StoredSummary): Summary {
    return Summary.from(stored, this.mappings[measure]);
  }
}

const mappingFor = (measure: Measure): BinMapping =>
  new DDSketch({ relativeAccuracy: RELATIVE_ERROR[measure] }).mapping;
