# A file as a C array: cmake -DIN=FILE -DOUT=FILE.c -DNAME=page_html -P embed.cmake makes leat__file_page_html[] and its _size.
file(READ "${IN}" bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "#include \"runtime/query/embedded_files.h\"\n\nconst unsigned char leat__file_${NAME}[] = {\n${bytes}\n};
const size_t leat__file_${NAME}_size = sizeof leat__file_${NAME};\n")
