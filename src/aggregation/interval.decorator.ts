import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { INTERVAL_NAMES, type IntervalName } from '../contracts/index.js';

/** A query parameter that is one of the intervals of candles. */
export function IntervalParameter(byDefault: IntervalName): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ enum: INTERVAL_NAMES, default: byDefault }),
    IsIn(INTERVAL_NAMES, { message: `must be one of ${INTERVAL_NAMES.join(', ')}` }),
  );
}
