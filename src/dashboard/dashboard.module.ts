import { Module } from '@nestjs/common';
import { DashboardController } from './dashboard.controller.js';
import { Pages } from './pages.service.js';

@Module({ controllers: [DashboardController], providers: [Pages] })
export class DashboardModule {}
