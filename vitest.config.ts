import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{src,test,migrations,web}/**/*.spec.ts'],
    globalSetup: ['test/support/postgres.global.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
