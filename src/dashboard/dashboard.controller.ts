import { Controller, Get, Headers, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type PageFile, Pages } from './pages.service.js';

/** Own files and own API only: nothing from elsewhere, nothing inline, no frame around it. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

@ApiExcludeController()
@Controller()
export class DashboardController {
  constructor(private readonly pages: Pages) {}

  @Get()
  root(@Res() reply: FastifyReply): void {
    void reply.redirect('/dashboard', 302);
  }

  @Get('dashboard')
  page(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): void {
    void reply
      .header('content-security-policy', CONTENT_SECURITY_POLICY)
      .header('referrer-policy', 'no-referrer')
      .header('x-frame-options', 'DENY');
    this.send('index.html', known, reply);
  }

  @Get('dashboard/dashboard.js')
  script(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): void {
    this.send('dashboard.js', known, reply);
  }

  @Get('dashboard/dashboard.css')
  style(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): void {
    this.send('dashboard.css', known, reply);
  }

  @Get(['favicon.svg', 'favicon.ico'])
  favicon(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): void {
    this.send('favicon.svg', known, reply);
  }

  /** Browsers keep a copy and ask whether it is still right, so that an upgrade shows at once. */
  private send(name: PageFile, known: string | undefined, reply: FastifyReply): void {
    const { body, type, etag } = this.pages.get(name);
    void reply.header('cache-control', 'no-cache').header('etag', etag).header('x-content-type-options', 'nosniff');
    if (known?.split(/,\s*/).some((one) => one.replace(/^W\//, '') === etag)) void reply.status(304).send();
    else void reply.type(type).send(body);
  }
}
