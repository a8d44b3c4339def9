import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { KrafkaHealthModule } from 'nestjs-krafka/health';
import { HealthService } from './health.service.js';

@Module({ imports: [TerminusModule, KrafkaHealthModule], providers: [HealthService], exports: [HealthService] })
export class HealthModule {}
