import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { KrafkaHealthIndicator } from './krafka-health.indicator.js';

/** Provides the {@link KrafkaHealthIndicator}; import it beside TerminusModule. */
@Module({ imports: [TerminusModule], providers: [KrafkaHealthIndicator], exports: [KrafkaHealthIndicator] })
export class KrafkaHealthModule {}
