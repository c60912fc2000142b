import { isIP } from 'node:net';
import { ValidateBy, type ValidationOptions } from 'class-validator';

/** An IP address, or a network such as 10.1.0.0/16. */
export const IsCidr = (options: ValidationOptions): PropertyDecorator =>
  ValidateBy({ name: 'isCidr', validator: { validate: isCidr } }, options);

function isCidr(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const [address = '', bits, ...more] = value.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
