import { type DynamicModule, Module } from '@nestjs/common';
import { Settings } from './settings.js';

/** Gives every module the settings that main.ts read; nothing else looks at the environment. */
@Module({})
export class ConfigModule {
  static for(settings: Settings): DynamicModule {
    return {
      module: ConfigModule,
      global: true,
      providers: [{ provide: Settings, useValue: settings }],
      exports: [Settings],
    };
  }
}
