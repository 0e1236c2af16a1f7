#include "path.h"

#include <string.h>

bool path_is_absolute(struct bytes p, size_t longest)
{
    return p.length > 0 && p.length <= longest && p.at[0] == '/' && !has_nul(p);
}

static bool is_plain_component(const uint8_t *at, size_t length)
{
    if (length == 0)
        return false;
    return !(at[0] == '.' && (length == 1 || (length == 2 && at[1] == '.')));
}

bool path_is_within(struct bytes p, size_t longest)
{
    if (p.length == 0 || p.length > longest || has_nul(p))
        return false;
    size_t start = 0;
    for (size_t i = 0; i <= p.length; i++) {
        if (i < p.length && p.at[i] != '/')
            continue;
        if (!is_plain_component(p.at + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}

void path_copy(char *out, struct bytes p)
{
    if (p.length > 0)
        memcpy(out, p.at, p.length);
    out[p.length] = '\0';
}
