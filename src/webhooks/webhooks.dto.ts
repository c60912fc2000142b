import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, Matches } from 'class-validator';
import { CursorParameter, InstantParameter, LimitParameter } from '../platform/http/index.js';
import { DELIVERY_STATUSES, type DeliveryStatus } from './delivery.store.js';

export class ReceiptAnswer {
  /** Ours: `GET /api/v1/webhooks/deliveries/{id}`. */
  @ApiProperty({ example: '17' }) id!: string;
  /** Of the first delivery with these ids, when it came again. */
  @ApiProperty({ enum: DELIVERY_STATUSES }) status!: DeliveryStatus;
  /** It was received before, and is not stored again. */
  @ApiProperty() repeated!: boolean;
  /** An earlier delivery had the same body under another id. */
  @ApiProperty() possibleReplay!: boolean;
}

export class DeliveriesQuery {
  @ApiPropertyOptional({ example: 'github' })
  @IsOptional()
  @Matches(/^[a-z0-9-]{1,40}$/, { message: 'must be github or a name in WEBHOOKS' })
  source?: string;

  @ApiPropertyOptional({ example: 'push' })
  @IsOptional()
  @Matches(/^\P{Cc}{1,100}$/u, { message: 'must be the name of an event such as push, of 1 to 100 characters' })
  type?: string;

  @ApiPropertyOptional({ enum: DELIVERY_STATUSES })
  @IsOptional()
  @IsIn(DELIVERY_STATUSES, { message: `must be one of ${DELIVERY_STATUSES.join(', ')}` })
  status?: DeliveryStatus;

  @InstantParameter('Received at or after.') from?: number;
  @InstantParameter('Received before.') to?: number;
  @LimitParameter({ most: 500, byDefault: 100 }) limit: number = 100;
  @CursorParameter() cursor?: string;
}

export class DeliveryBody {
  @ApiProperty({ example: '17' }) id!: string;
  @ApiProperty({ example: 'github' }) source!: string;
  /** The sender's: `X-GitHub-Hook-ID`; empty where it has none. */
  @ApiProperty({ example: '292430182' }) hookId!: string;
  /** The sender's: `X-GitHub-Delivery`, `webhook-id`. */
  @ApiProperty({ example: '72d3162e-cc78-11e3-81ab-4c9367dc0958' }) deliveryId!: string;
  @ApiProperty({ example: 'issues' }) type!: string;
  @ApiProperty({ type: String, nullable: true, example: 'opened' }) action!: string | null;
  /** `failed`: the payload cannot be read, and lies with the dead letters. */
  @ApiProperty({ enum: DELIVERY_STATUSES }) status!: DeliveryStatus;
  @ApiProperty({ type: String, nullable: true }) error!: string | null;
  /** The earlier delivery that had the same body under another id. */
  @ApiProperty({ type: String, nullable: true }) possibleReplayOf!: string | null;
  /** How often it came again. */
  @ApiProperty({ type: 'integer' }) repeats!: number;
  @ApiProperty({ type: 'integer' }) bytes!: number;
  @ApiProperty({ format: 'date-time' }) receivedAt!: string;
}

export class WholeDeliveryBody extends DeliveryBody {
  @ApiProperty({ description: 'Without signatures and credentials', type: Object })
  headers!: Readonly<Record<string, string>>;
  @ApiProperty({ description: 'As it came, up to 1 MiB of it' }) payload!: string;
}

export class DeliveriesBody {
  @ApiProperty({ type: [DeliveryBody] }) items!: DeliveryBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}
