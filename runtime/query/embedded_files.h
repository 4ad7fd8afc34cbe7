/* runtime/query/embedded_files.h: files that are part of the library; made by cmake/embed.cmake. */
#ifndef LEAT__RUNTIME_QUERY_EMBEDDED_FILES_H
#define LEAT__RUNTIME_QUERY_EMBEDDED_FILES_H

#include <stddef.h>

extern const unsigned char leat__file_page_html[];
extern const size_t leat__file_page_html_size;
extern const unsigned char leat__file_openapi_json[];
extern const size_t leat__file_openapi_json_size;

#endif
