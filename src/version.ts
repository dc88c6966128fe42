/** Of the service, as `/health` tells it; the same as in package.json (a test holds them together). */
export const VERSION = '1.0.0';
