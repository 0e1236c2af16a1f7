/**
 * Published versions of packages, each with the one that came after it, pinned by the SHA-512 of the packed file. `always` are
 * fetched by every run, a few megabytes of every kind; the others when SAFE_CODER_HISTORIES is `long`.
 */

export interface PinnedVersion {
  version: string;
  sha512: string;
}

export interface History {
  name: string;
  before: PinnedVersion;
  after: PinnedVersion;
}

export const ALWAYS: readonly History[] = [
  // small
  {
    name: 'picomatch',
    before: {
      version: '3.0.1',
      sha512: 'I3EurrIQMlRc9IaAZnqRR044Phh2DXY+55o7uJ0V+hYZAcQYSuFWsc9q5PvyDHUSCe1Qxn/iBz+78s86zWnGag==',
    },
    after: {
      version: '4.0.2',
      sha512: 'M7BAV6Rlcy5u+m6oPhAPFgJTzAioX/6B0DxyvDlo9l8+T3nLKbrczg2WLUyzd45L8RqfUMyGPzekbMvX2Ldkwg==',
    },
  },
  // becomes another kind of module
  {
    name: 'chalk',
    before: {
      version: '4.1.2',
      sha512: 'oKnbhFyRIXpUuez8iBMmyEa4nbj4IOQyuhc/wy9kY7/WVPcwIO9VA668Pu8RkO7+0G76SLROeyw9CpQ061i4mA==',
    },
    after: {
      version: '5.3.0',
      sha512: 'dLitG79d+GV1Nb/VYcCDFivJeK1hiukt9QjRNVOsUtTy1rR1YJsmpGGTZ3qJos+uw7WmWF4wUwBd9jxjocFC2w==',
    },
  },
  // CRLF
  {
    name: 'tslib',
    before: {
      version: '1.14.1',
      sha512: 'Xni35NKzjgMrwevysHTCArtLDpPvye8zV/0E4EyYn43P7/7qvQwPh9BGkHewbMulVntbigmcT7rdX3BNo9wRJg==',
    },
    after: {
      version: '2.6.3',
      sha512: 'xNvxJEOUiWPGhUuUdQgAJPKOOJfGnIyKySOc09XkKsgdUV/3E2zvwZYdejjmRgPCgcym1juLH3226yA7sEFJKQ==',
    },
  },
  // fonts, CRLF in part
  {
    name: 'bootstrap',
    before: {
      version: '3.3.7',
      sha512: 'qcFaisBrcBhTFkz1IUnGDYnX6ZWfFzH8zOixUDtHW9Ip+r+7MfMFav2rzy7cIHc7rgIg7xjhWBoo1mS/U26j4g==',
    },
    after: {
      version: '3.4.1',
      sha512: 'yN5oZVmRCwe5aKwzRj6736nSmKDX7pLYwsXiCj/EYmo16hODaBiT4En5btW/jhBF/seV+XMx3aYwukYC3A49DA==',
    },
  },
  // images, CRLF, minified lines, source maps
  {
    name: 'leaflet',
    before: {
      version: '1.8.0',
      sha512: 'gwhMjFCQiYs3x/Sf+d49f10ERXaEFCPr+nVTryhAW8DWbMGqJqt9G4XuIaHmFW08zYvhgdzqXGr8AlW8v8dQkA==',
    },
    after: {
      version: '1.9.4',
      sha512: 'nxS1ynzJOmOlHp+iL3FyWqK89GtNL8U8rvlMOsQdTTssxZwCXh8N2NB3GDQOL+YR3XnWyZAxwQixURb+FA74PA==',
    },
  },
  // most files move
  {
    name: 'minimatch',
    before: {
      version: '8.0.4',
      sha512: 'W0Wvr9HyFXZRGIDgCicunpQ299OKXs9RgZfaukz4qAW/pJhcpUfupc9c+OObPOFueNy8VSrZgEmDtk6Kh4WzDA==',
    },
    after: {
      version: '9.0.5',
      sha512: 'G6T0ZX48xgozx7587koeX9Ys2NYy6Gmv//P89sEte9V9whIapMNF4idKxnW2QtCcLiTWlb/wfCabAtAFWhhBow==',
    },
  },
  // a thousand files
  {
    name: 'lodash',
    before: {
      version: '4.17.20',
      sha512: 'PlhdFcillOINfeV7Ni6oF1TAEayyZBoZ8bcshTHqOYJYlrqzRK5hagpagky5o4HfCzzd1TRkXPMFq6cKk9rGmA==',
    },
    after: {
      version: '4.17.21',
      sha512: 'v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg==',
    },
  },
];

export const LONG: readonly History[] = [
  {
    name: 'express',
    before: {
      version: '4.21.2',
      sha512: '28HqgMZAmih1Czt9ny7qr6ek2qddF4FclbMzwhCREB6OFfH+rXAnuNCwo1/wFvrtbgsQDb4kSbX9de9lFbrXnA==',
    },
    after: {
      version: '5.0.1',
      sha512: 'ORF7g6qGnD+YtUG9yx4DFoqCShNMmUKiXuT5oWMHiOvt/4WFbHC6yCwQMTSBMno7AqntNCAzzcnnjowRkTL9eQ==',
    },
  },
  {
    name: 'semver',
    before: {
      version: '6.3.1',
      sha512: 'BR7VvDCVHO+q2xBEWskxS6DJE1qRnb7DxzUrogb71CWoSficBxYsiAGd+Kl0mmq/MprG9yArRkyrQxTO6XjMzA==',
    },
    after: {
      version: '7.6.3',
      sha512: 'oVekP1cKtI+CTDvHWYFUcMtsK/00wmAEfyqKfNdARm8u1wNVhSgaX7A8d4UuIlUI5e84iEwOhs7ZPYRmzU9U6A==',
    },
  },
  {
    name: 'debug',
    before: {
      version: '2.6.9',
      sha512: 'bC7ElrdJaJnPbAP+1EotYvqZsb3ecl5wi6Bfi6BJTUcNowp6cvspg0jXznRTKDjm/E7AdgFBVeAPVMNcKGsHMA==',
    },
    after: {
      version: '4.3.7',
      sha512: 'Er2nc/H7RrMXZBFCEim6TCmMk02Z8vLC2Rbi1KEBggpo0fS6l0S1nnapwmIi3yW/+GOJap1Krg4w0Hg80oCqgQ==',
    },
  },
  {
    name: 'commander',
    before: {
      version: '10.0.1',
      sha512: 'y4Mg2tXshplEbSGzx7amzPwKKOCGuoSRP/CjEdwwk0FOGlUbq6lKuoyDZTNZkmxHdJtp54hdfY/JUrdL7Xfdug==',
    },
    after: {
      version: '12.1.0',
      sha512: 'Vw8qHK3bZM9y/P10u3Vib8o/DdkvA2OtPtZvD871QKjy74Wj1WSKFILMPRPSdUSx5RFK1arlJzEtA4PkFgnbuA==',
    },
  },
  {
    name: 'axios',
    before: {
      version: '0.28.1',
      sha512: 'iUcGA5a7p0mVb4Gm/sy+FSECNkPFT4y7wt6OM/CDpO/OnNCvSs3PoMG8ibrC9jRoGYU0gUK5pXVC4NPXq6lHRQ==',
    },
    after: {
      version: '1.7.7',
      sha512: 'S4kL7XrjgBmvdGut0sN3yJxqYzrDOnivkBiN0OFs6hLiUam3UPvswUo0kqGyhqUZGEOytHyumEdXsAkgCOUf3Q==',
    },
  },
  {
    name: 'zod',
    before: {
      version: '3.22.4',
      sha512: 'iC+8Io04lddc+mVqQ9AZ7OQ2MrUKGN+oIQyq1vemgt46jwCwLfhq7/pwnBnNXXXZb8VTVLKwp9EDkx+ryxIWmg==',
    },
    after: {
      version: '3.23.8',
      sha512: 'XBx9AXhXktjUqnepgTiE5flcKIYWi/rme0Eaj+5Y0lftuGBq+jyRu/md4WnuxqgP1ubdpNCsYEYPxrzVHD8d6g==',
    },
  },
  {
    name: 'react-dom',
    before: {
      version: '17.0.2',
      sha512: 's4h96KtLDUQlsENhMn1ar8t2bEa+q/YAtj8pPPdIjPDGBDIVNsrD9aXNWqspUe6AzKCIG0C1HZZLqLV7qpOBGA==',
    },
    after: {
      version: '18.3.1',
      sha512: '5m4nQKp+rZRb09LNH59GM4BxTh9251/ylbKIbpe7TpGxfJ+9kv6BLkLBXIjjspbgbnIBNqlI23tRnTWT0snUIw==',
    },
  },
  {
    name: 'vue',
    before: {
      version: '3.4.38',
      sha512: 'f0ZgN+mZ5KFgVv9wz0f4OgVKukoXtS3nwET4c2vLBGQR50aI8G0cqbFtLlX9Yiyg3LFGBitruPHt2PxwTduJEw==',
    },
    after: {
      version: '3.5.12',
      sha512: 'CLVZtXtn2ItBIi/zHZ0Sg1Xkb7+PU32bJJ8Bmy7ts3jxXTcbfsEfBivFYYWz1Hur+lalqGAh65Coin0r+HRUfg==',
    },
  },
  {
    name: 'jquery',
    before: {
      version: '2.2.4',
      sha512: 'lBHj60ezci2u1v2FqnZIraShGgEXq35qCzMv4lITyHGppTnA13rwR0MgwyNJh9TnDs3aXUvd1xjAotfraMHX/Q==',
    },
    after: {
      version: '3.7.1',
      sha512: 'm4avr8yL8kmFN8psrbFFFmB/If14iN5o9nw/NgnnM+kybDJpRsAynV2BsfpTYrTRysYUdADVD7CkUUizgkpLfg==',
    },
  },
  {
    name: 'underscore',
    before: {
      version: '1.12.1',
      sha512: 'hEQt0+ZLDVUMhebKxL4x1BTtDY7bavVofhZ9KZ4aI26X9SRaE+Y3m83XUL1UP2jn8ynjndwCCpEHdUG+9pP1Tw==',
    },
    after: {
      version: '1.13.7',
      sha512: 'GMXzWtsc57XAtguZgaQViUOzs0KTkk8ojr3/xAxXLITqf/3EMwxC0inyETfDFjH/Krbhuep0HNbbjI9i/q3F3g==',
    },
  },
  {
    name: 'moment',
    before: {
      version: '2.29.4',
      sha512: '5LC9SOxjSc2HF6vO2CyuTDNivEdoz2IvyJJGj6X8DJ0eFyfszE0QiEd+iXmBvUP3WHxSjFH/vIsA0EN00cgr8w==',
    },
    after: {
      version: '2.30.1',
      sha512: 'uEmtNhbDOrWPFS+hdjFCBfy9f2YoyzRpwcl+DqpC6taX21FzsTLQVbMV/W7PzNSX6x/bhC1zA3c2UQ5NzH6how==',
    },
  },
  {
    name: 'handlebars',
    before: {
      version: '4.5.3',
      sha512: '3yPecJoJHK/4c6aZhSvxOyG4vJKDshV36VHp0iVCDVh7o9w2vwi3NSnL2MMPj3YdduqaBcu7cGbggJQM0br9xA==',
    },
    after: {
      version: '4.7.8',
      sha512: 'vafaFqs8MZkRrSX7sFVUdo3ap/eNiLnb4IakshzvP56X5Nr1iGKAIqdX6tMlm6HcNRIkr6AxO5jFEoJzzpT8aQ==',
    },
  },
  {
    name: 'ajv',
    before: {
      version: '7.2.4',
      sha512: 'nBeQgg/ZZA3u3SYxyaDvpvDtgZ/EZPF547ARgZBrG9Bhu1vKDwAIjtIf+sDtJUKa2zOcEbmRLBRSyMraS/Oy1A==',
    },
    after: {
      version: '8.17.1',
      sha512: 'B/gBuNg5SiMTrPkC+A2+cW0RszwxYmn6VYxB/inlBStS5nx6xHIt/ehKRhIMhqusl7a8LjQoZnjCs5vhwxOQ1g==',
    },
  },
  {
    name: 'ws',
    before: {
      version: '7.5.10',
      sha512: '+dbF1tHwZpXcbOJdVOkzLDxZP1ailvSxM6ZweXTegylPny803bFhA+vqBYw4s31NSAk4S2Qz+AKXK9a4wkdjcQ==',
    },
    after: {
      version: '8.18.0',
      sha512: '8VbfWfHLbbwu3+N6OKsOMpBdT4kXPDDB9cJk2bJ6mh9ucxdlnNvH1e+roYkKmN9Nxw2yjz7VzeO9oOz2zJ04Pw==',
    },
  },
  {
    name: 'acorn',
    before: {
      version: '7.4.1',
      sha512: 'nQyp0o1/mNdbTO1PO6kHkwSrmgZ0MT/jCCpNiwbUjGoRN4dlBhqJtoQuCnEOKzgTVwg0ZWiCoQy6SxMebQVh8A==',
    },
    after: {
      version: '8.14.0',
      sha512: 'cl669nCJTZBsL97OF4kUQm5g5hC2uihk0NxY3WENAC0TYdILVkAyHymAntgxGkl7K+t0cXIrH5siy5S4XkFycA==',
    },
  },
  {
    name: 'uuid',
    before: {
      version: '9.0.1',
      sha512: 'b+1eJOlsR9K8HJpow9Ok3fiWOWSIcIzXodvv0rQjVoOVNpWMpxf1wZNpt4y9h10odCNrqnYp1OBzRktckBe3sA==',
    },
    after: {
      version: '11.0.3',
      sha512: 'd0z310fCWv5dJwnX1Y/MncBAqGMKEzlBb1AOf7z9K8ALnd0utBX/msg/fA0+sbyN1ihbMsLhrBlnl1ak7Wa0rg==',
    },
  },
  {
    name: 'yargs',
    before: {
      version: '16.2.0',
      sha512: 'D1mvvtDG0L5ft/jGWkLpG1+m0eQxOfaBvTNELraWj22wSVUMWxZUvYgJYcKh6jGGIkJFhH4IZPQhR4TKpc8mBw==',
    },
    after: {
      version: '17.7.2',
      sha512: '7dSzzRQ++CKnNI/krKnYRV7JKKPUXMEh61soaHKg9mrWEhzFWhFnxPxGl+69cD1Ou63C13NUPCnmIcrvqCuM6w==',
    },
  },
  {
    name: 'ramda',
    before: {
      version: '0.29.1',
      sha512: 'OfxIeWzd4xdUNxlWhgFazxsA/nl3mS4/jGZI5n00uWOoSSFRhC1b6gl6xvmzUamgmqELraWp0J/qqVlXYPDPyA==',
    },
    after: {
      version: '0.30.1',
      sha512: 'tEF5I22zJnuclswcZMc8bDIrwRHRzf+NqVEmqg50ShAZMP7MWeR/RGDthfM/p+BlqvF2fXAzpn8i+SJcYD3alw==',
    },
  },
  {
    name: 'immutable',
    before: {
      version: '3.8.2',
      sha512: '15gZoQ38eYjEjxkorfbcgBKBL6R7T459OuK+CpcWt7O3KF4uPCx2tD0uFETlUDIyo+1789crbMhTvQBSR5yBMg==',
    },
    after: {
      version: '4.3.7',
      sha512: '1hqclzwYwjRDFLjcFxOM5AYkkG0rpFPpr1RLPMEuGczoS7YA8gLhy8SWXYRAA/XwfEHpfo3cw5JGioS32fnMRw==',
    },
  },
  {
    name: 'katex',
    before: {
      version: '0.15.6',
      sha512: 'UpzJy4yrnqnhXvRPhjEuLA4lcPn6eRngixW7Q3TJErjg3Aw2PuLFBzTkdUb89UtumxjhHTqL3a5GDGETMSwgJA==',
    },
    after: {
      version: '0.16.11',
      sha512: 'RQrI8rlHY92OLf3rho/Ts8i/XvjgguEjOkO1BEXcU3N8BqPpSzBNwV/G0Ukr+P/l3ivvJUE/Fa/CwbS6HesGNQ==',
    },
  },
  {
    name: 'font-awesome',
    before: {
      version: '4.6.3',
      sha512: 'I5rWuHv7MI5uYDGFT1SJohxdkTfks41QQ9fvMEzvBnWppsehXnoj8LNuW4MGtawSrHvApYVhCZSC7rk5wDycyw==',
    },
    after: {
      version: '4.7.0',
      sha512: 'U6kGnykA/6bFmg1M/oT9EkFeIYv7JlX3bozwQJWiiLz6L0w3F5vBVPxHlwyX/vtNq1ckcpRKOB9f2Qal/VtFpg==',
    },
  },
  {
    name: 'glob',
    before: {
      version: '10.2.7',
      sha512: 'jTKehsravOJo8IJxUGfZILnkvVJM/MOfHRs8QcXolVef2zNI9Tqyy5+SeuOAZd3upViEZQLyFpQhYiHLrMUNmA==',
    },
    after: {
      version: '11.0.0',
      sha512: '9UiX/Bl6J2yaBbxKoEBRm4Cipxgok8kQYcOPEhScPwebu2I0HoQOuYdIO6S3hLuWoZgpDpwQZMzTFxgpkyT76g==',
    },
  },
  {
    name: 'lru-cache',
    before: {
      version: '7.18.3',
      sha512: 'jumlc0BIUrS3qJGgIkWZsyfAM7NCWiBcCDhnd+3NNM5KbBmLTgHVfWBcg6W+rLUsIpzpERPsvwUP7CckAQSOoA==',
    },
    after: {
      version: '10.4.3',
      sha512: 'JNAzZcXrCt42VGLuYz0zfAzDfAvJWW6AfYlDBQyDV5DClI2m5sAmK+OIO7s59XfsRsWHp02jAJrRadPRGTt6SQ==',
    },
  },
  {
    name: 'iconv-lite',
    before: {
      version: '0.4.24',
      sha512: 'v3MXnZAcvnywkTUEZomIActle7RXXeedOR31wwl7VlyoXO4Qi9arvSenNQWne1TcRwhCL1HwLI21bEqdpj8/rA==',
    },
    after: {
      version: '0.6.3',
      sha512: '4fCk79wshMdzMp2rH06qWrJE4iolqLhCUH+OiuIgU++RB0+94NlDL81atO7GX55uUKueo0txHNtvEyI6D7WdMw==',
    },
  },
  {
    name: 'typescript',
    before: {
      version: '5.5.4',
      sha512: 'Mtq29sKDAEYP7aljRgtPOpTvOfbwRWlS6dPRzwjdE+C0R4brX/GUyhHSecbHMFLNBLcJIPt9nl9yG5TZ1weH+Q==',
    },
    after: {
      version: '5.6.3',
      sha512: 'hjcS1mhfuyi4WW8IWtjP7brDrG2cuDZukyrYrSauoXGNgx0S7zceP07adYkJycEr56BOUTNPzbInooiN3fn1qw==',
    },
  },
];
