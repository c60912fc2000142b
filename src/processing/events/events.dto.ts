import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, Matches } from 'class-validator';
import type { Json } from '../../contracts/index.js';
import { NewestFirstQuery } from '../newest-first.dto.js';

/** What a name may be: without control characters, and short. */
const isName = (example: string) =>
  Matches(/^[^\x00-\x1f\x7f]{1,200}$/, { message: `must be 1 to 200 characters such as ${example}` }); // oxlint-disable-line no-control-regex -- that is what it keeps out

export class EventsQuery extends NewestFirstQuery {
  @ApiPropertyOptional({ example: 'github' })
  @IsOptional()
  @Matches(/^[a-z0-9-]{1,40}$/, { message: 'must be github or a name in WEBHOOKS' })
  source?: string;

  @ApiPropertyOptional({ example: 'push' })
  @IsOptional()
  @isName('push')
  type?: string;

  @ApiPropertyOptional({ example: 'octocat/hello-world' })
  @IsOptional()
  @isName('octocat/hello-world')
  repository?: string;

  @ApiPropertyOptional({ example: 'octocat' })
  @IsOptional()
  @isName('octocat')
  actor?: string;
}

const TEXT = { type: String, nullable: true } as const;

export class EventBody {
  @ApiProperty({ example: '41' }) id!: string;
  /** `github`, or a name in WEBHOOKS. */
  @ApiProperty({ example: 'github' }) source!: string;
  @ApiProperty({ example: 'issues' }) type!: string;
  @ApiProperty({ ...TEXT, example: 'opened' }) action!: string | null;
  @ApiProperty({ ...TEXT, example: 'octocat/hello-world' }) repository!: string | null;
  @ApiProperty({ ...TEXT, example: 'octocat' }) actor!: string | null;
  @ApiProperty({ ...TEXT, example: 'refs/heads/main' }) ref!: string | null;
  /** Of the issue, pull request or discussion. */
  @ApiProperty({ type: 'integer', nullable: true, example: 7 }) number!: number | null;
  @ApiProperty(TEXT) url!: string | null;
  /** When it happened by the payload, else when it was received. */
  @ApiProperty({ format: 'date-time' }) at!: string;
  /** `GET /api/v1/webhooks/deliveries/{deliveryId}`. */
  @ApiProperty({ example: '17' }) deliveryId!: string;
  @ApiProperty({ type: Object, description: 'What else the payload told: titles, states, counts' })
  fields!: Readonly<Record<string, Json>>;
}

export class EventsBody {
  /** Newest first. */
  @ApiProperty({ type: [EventBody] }) items!: EventBody[];
  @ApiProperty(TEXT) nextCursor!: string | null;
}
