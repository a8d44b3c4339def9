import { Inject, Injectable } from '@nestjs/common';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { KrafkaHealthIndicator } from 'nestjs-krafka/health';

/** What an HTTP application would serve under `/health`. */
@Injectable()
export class HealthService {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(KrafkaHealthIndicator) private readonly krafka: KrafkaHealthIndicator,
  ) {}

  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.krafka.isHealthy('kafka')]);
  }
}
