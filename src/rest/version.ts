/** Of the service, as `/health` and the API's documents tell it. */
export const VERSION = '1.0.0';
