import { Injectable } from '@nestjs/common';

export type HealthReport = Readonly<{
  up: boolean;
  /** In words or figures: why, since when, how much. */
  details: Record<string, unknown>;
}>;

export type HealthPart = Readonly<{
  name: string;
  /** Whether the process is not ready while this part is down. */
  gatesReadiness: boolean;
  check: () => Promise<HealthReport> | HealthReport;
}>;

/** Every part of the process says here how it is; the probes only add up. */
@Injectable()
export class HealthParts {
  private readonly byName = new Map<string, HealthPart>();

  register(part: HealthPart): void {
    this.byName.set(part.name, part);
  }

  all(): readonly HealthPart[] {
    return [...this.byName.values()];
  }
}
