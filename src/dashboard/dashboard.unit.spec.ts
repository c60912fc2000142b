import 'reflect-metadata';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DashboardModule } from './dashboard.module.js';

let app: NestFastifyApplication;

beforeAll(async () => {
  const module = await Test.createTestingModule({ imports: [DashboardModule] }).compile();
  app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
  await app.init();
});
afterAll(() => app.close());

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ method: 'GET', url, headers });

describe('dashboard', () => {
  it('is where the root leads', async () => {
    const response = await get('/');
    expect([response.statusCode, response.headers['location']]).toEqual([302, '/dashboard']);
  });

  it.each([
    ['/dashboard', 'text/html; charset=utf-8'],
    ['/dashboard/dashboard.js', 'text/javascript; charset=utf-8'],
    ['/dashboard/dashboard.css', 'text/css; charset=utf-8'],
    ['/favicon.svg', 'image/svg+xml'],
    ['/favicon.ico', 'image/svg+xml'],
  ])('serves %s, and only once to who has it', async (url, type) => {
    const response = await get(url);
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({ 'content-type': type, 'cache-control': 'no-cache' });
    expect(response.body.length).toBeGreaterThan(50);
    const again = await get(url, { 'if-none-match': `W/${String(response.headers['etag'])}` });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  it('runs nothing inline and loads nothing from elsewhere', async () => {
    const page = await get('/dashboard');
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'/);
    expect(page.body).not.toMatch(/<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=|<style/);
    const addresses = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address!);
    expect(addresses.every((address) => address.startsWith('/'))).toBe(true);
    for (const address of addresses.filter((one) => /\.(js|css|svg)$/.test(one))) {
      expect((await get(address)).statusCode).toBe(200);
    }
  });
});
