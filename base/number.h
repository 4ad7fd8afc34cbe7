/* base/number.h: numbers as text, whatever the program's locale is. */
#ifndef LEAT__BASE_NUMBER_H
#define LEAT__BASE_NUMBER_H

#include <leat/base.h>

enum { LEAT__DOUBLE_TEXT = 32 };

/** The shortest text of at least 15 (float: 6) digits that reads back as the same number; returns
 *  its length. Trailing zeros are not written. */
size_t leat__double_text(double number, char text[LEAT__DOUBLE_TEXT]);
size_t leat__float_text(float number, char text[LEAT__DOUBLE_TEXT]);

#endif
