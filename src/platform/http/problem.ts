import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { type AppError, ERRORS, type ErrorCode } from '../errors/index.js';

export class FieldFaultBody {
  @ApiProperty({ example: 'window' }) field!: string;
  @ApiProperty({ example: 'must be one of 1m, 5m, 15m, 1h, 4h, 1d' }) message!: string;
  /** Of a condition: what is wrong with it, and where, in UTF-16 units from its start, the end exclusive. */
  @ApiPropertyOptional({ example: 'unknown-name' }) code?: string;
  @ApiPropertyOptional({ type: 'integer' }) start?: number;
  @ApiPropertyOptional({ type: 'integer' }) end?: number;
}

/** RFC 9457 problem details; every error answer of the API has this shape and type application/problem+json. */
export class Problem {
  @ApiProperty({ example: '/problems/market.unknown-symbol' }) type!: string;
  @ApiProperty({ example: 'No trade of this symbol was ever recorded' }) title!: string;
  @ApiProperty({ example: 404 }) status!: number;
  @ApiProperty({ example: 'NOPE is not among the 10 known symbols' }) detail!: string;
  @ApiProperty({ example: 'market.unknown-symbol' }) code!: string;
  @ApiProperty({ example: '/api/v1/price/NOPE' }) instance!: string;
  @ApiPropertyOptional({ description: 'The request id, as in the logs' }) correlationId?: string;
  @ApiPropertyOptional({ type: [FieldFaultBody] }) errors?: FieldFaultBody[];
}

export function problemOf(error: AppError, instance: string, correlationId: string | undefined): Problem {
  return {
    type: `/problems/${error.code}`,
    title: ERRORS[error.code].title,
    status: error.status,
    detail: error.detail,
    code: error.code,
    instance,
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(error.errors === undefined ? {} : { errors: [...error.errors] }),
  };
}

/** Documents the problems a route may answer with. */
export function ApiProblems(...codes: ErrorCode[]): ClassDecorator & MethodDecorator {
  const byStatus = Map.groupBy(codes, (code) => ERRORS[code].status);
  return applyDecorators(
    ...[...byStatus].map(([status, those]) =>
      ApiResponse({
        status,
        description: those.map((code) => `\`${code}\`: ${ERRORS[code].title}`).join('; '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      }),
    ),
  );
}
